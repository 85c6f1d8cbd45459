// After fork() the child may use the library: it has none of the parent's threads and locks.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/machine.h>
#include <cairn/core/random.h>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

using namespace cairn;
using namespace cairn::test;

// The thread sanitizer ends a process that starts threads after a fork().
#if defined(__SANITIZE_THREAD__)
#define CAIRN_NO_FORK
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CAIRN_NO_FORK
#endif
#endif

namespace {

// A large op, a product, random numbers and a backward.
[[maybe_unused]] double work() {
  manual_seed(5);
  const Tensor x = randn({300, 300}).requires_grad_(true);
  const Tensor y = matmul(exp(x * 0.1), x);
  sum(y * y).backward();
  return x.grad().abs().sum().item<double>();
}

}  // namespace

#ifndef CAIRN_NO_FORK
TEST_CASE("fork: the child works, and so does the parent") {
  const int64_t before = num_threads();
  set_num_threads(2);
  const double expected = work();  // starts the workers
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(work() == expected && num_threads() == 2 ? 0 : 1);
  int status = -1;
  pid_t ended = 0;
  for (int i = 0; i < 600 && ended == 0; ++i) {  // a minute, for the sanitizers
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ended = waitpid(child, &status, WNOHANG);
  }
  if (ended == 0) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
  CHECK(ended == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(work() == expected);
  set_num_threads(before);
}
#endif
