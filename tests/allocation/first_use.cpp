// The first use of things that a thread or a process makes once. Each is used for the first time in
// a child process, so that every failure meets it unmade.
#include "allocation/every_allocation.h"
#include "allocation/failing_new.h"

#include <cairn/cairn.h>

#include <sys/wait.h>
#include <unistd.h>

#include <thread>

using namespace cairn;
using namespace cairn::test;

namespace {

enum Ending { good, done, bad };  // done: fewer than k allocations were asked for

// Fails the k-th allocation of the process' first `call`; then makes it again, which must do.
Ending first_call(void (*call)(), int64_t k, Failing how) {
  bool struck = false;
  {
    const FailingNew failing(k, how);
    try {
      call();
    } catch (const std::bad_alloc&) {
    } catch (...) {
      return bad;
    }
    struck = failing.struck();
  }
  call();
  return struck ? good : done;
}

// The same for every k, each in a process of its own. How many failed; -1 for a bad ending.
int64_t fail_first(void (*call)()) {
  REQUIRE(memory_stats().peak == 0);  // nothing was ever made in this process
  int64_t failures = 0;
  for (const Failing how : {Failing::once, Failing::from_then_on}) {
    for (int64_t k = 1;; ++k, ++failures) {
      const pid_t child = fork();
      if (child == 0) _exit(first_call(call, k, how));
      int status = 0;
      REQUIRE(waitpid(child, &status, 0) == child);
      if (!WIFEXITED(status) || WEXITSTATUS(status) > done) return -1;
      if (WEXITSTATUS(status) == done) break;
    }
  }
  return failures;
}

void same(const Tensor& x, const Tensor& y) {
  if (!allclose(x, y, 0, 0)) _exit(bad);
}

}  // namespace

// Before all others: doctest goes through the files in the order of their names.
TEST_CASE("a process' first use of Cairn may fail, whatever allocation does; the next one works") {
  CHECK(fail_first([] { rand({3}); }) > 2);
  CHECK(fail_first([] { default_generator(); }) > 1);
  CHECK(fail_first([] {
          nn::Sequential model{nn::Linear(3, 2), nn::BatchNorm1d(2, {.affine = false})};
          model(randn({4, 3})).sum().backward();
        }) > 50);
  CHECK(fail_first([] {  // starts the threads, or does without them
          const Tensor x = ones({1 << 18});
          same((x + x).sum(), full({}, 1 << 19));
        }) > 5);
  CHECK(fail_first([] { memory_stats(), release_cached_memory(), to_string(build_info()); }) > 1);
}

TEST_CASE("a thread's first step may fail, whatever allocation does; the next one is right") {
  const Tensor x = randn({8, 3}), target = randn({8, 2});
  const auto step = [&] {
    manual_seed(1);
    nn::Sequential model{nn::Linear(3, 4), nn::BatchNorm1d(4), nn::Linear(4, 2)};
    optim::SGD optimizer(model.parameters(), {.lr = 0.1, .momentum = 0.9});
    mse_loss(model(x), target).backward();
    optimizer.step();
    return model.state_dict();
  };
  const Bits expected = values(step());
  bool struck = true;
  int64_t failures = 0;
  for (; struck; ++failures) {
    bool good = true;
    std::thread([&] {
      {
        const FailingNew failing(failures + 1, Failing::from_then_on);
        try {
          step();
        } catch (const std::bad_alloc&) {
        } catch (...) {
          good = false;
        }
        struck = failing.struck();
      }
      good = good && values(step()) == expected;
    }).join();
    REQUIRE(good);
  }
  CHECK(failures > 100);
}
