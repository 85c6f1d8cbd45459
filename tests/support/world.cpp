// How a world is made, written down bit by bit, and compared.
#include "support/world.h"
#include "support/rows.h"

#include <cairn/core/machine.h>
#include <cairn/core/random.h>
#include <cairn/core/record.h>

#include <fmt/format.h>

#include <cmath>
#include <cstring>

namespace cairn::test {
namespace {

std::string bits(const Tensor& x) {
  const Tensor dense = x.detach().contiguous();
  std::string bytes(static_cast<std::size_t>(x.numel() * element_size(x.dtype())), '\0');
  if (x.numel() > 0) std::memcpy(bytes.data(), dense.view_of().data, bytes.size());
  return bytes;
}

std::string all_of(const Tensor& x) {
  if (!x.defined()) return "undefined";
  const detail::TensorImpl& impl = x.impl();
  std::string text = fmt::format(
      "{} {} {} at {}, version {} epoch {} guarded {}, tracked {} leaf {}; ", x.dtype(), x.shape(),
      x.strides(), fmt::ptr(impl.view.data), impl.view.storage->version, impl.view.storage->epoch,
      impl.view.storage->guarded, x.requires_grad(), x.is_leaf());
  if (impl.slot) {
    text += fmt::format("named '{}' hooks {} retains {}; ",
                        impl.slot->name ? impl.slot->name->path() : "", impl.slot->hooks.size(),
                        impl.slot->retain);
  }
  return text + bits(x) + "; grad: " + all_of(x.grad());
}

}  // namespace

World::World() {
  manual_seed(1);
  const Tensor source = zeros({2});
  moved_from_tensor = source;
  const Tensor kept = std::move(moved_from_tensor);
  const nn::Linear linear(std::move(moved_from_linear));
  const nn::Sequential sequential(std::move(moved_from_sequential));
  const nn::BatchNorm2d batch_norm(std::move(moved_from_batch_norm));
  const nn::MSELoss mse_loss(std::move(moved_from_loss));
  leaf.set_grad(tensor({1, 1, 1}));
  open.parameter("w", tensor({1, 2}));
  open.buffer("b", tensor({1, 2, 3}));
  open.child("fc", nn::Linear(2, 2));
  norm.running_var.freeze();
  trains();
  trains();
}

bool World::trains() {
  const Tensor input = tensor({{1, 2, 3}, {0, -1, 2}, {5, 0, 1}, {-2, 1, 0}});
  const Tensor target = tensor({{1, 0}, {0, 1}, {1, 1}, {0, 0}});
  std::vector<Tensor> before;
  for (const Tensor& p : net.parameters()) before.push_back(p.detach().clone());
  sgd.zero_grad();
  const Tensor value = mse_loss(net(input), target);
  value.backward();
  sgd.step();
  bool moved = std::isfinite(value.item<double>());
  for (std::size_t k = 0; k < before.size(); ++k) {
    moved &= bits(before[k]) != bits(net.parameters()[k]);
  }
  return moved;
}

std::vector<std::pair<std::string, std::string>> World::snapshot() const {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [&](std::string name, const auto& what) {
    all.emplace_back(std::move(name), fmt::format("{}", what));
  };
  const std::pair<const char*, const Tensor&> tensors[] = {{"scalar", scalar},
                                                           {"x", x},
                                                           {"d", d},
                                                           {"i", i},
                                                           {"labels", labels},
                                                           {"none", none},
                                                           {"images", images},
                                                           {"turned", turned},
                                                           {"wide", wide},
                                                           {"deep", deep},
                                                           {"moved_from_tensor", moved_from_tensor},
                                                           {"leaf", leaf},
                                                           {"each", each},
                                                           {"total", total}};
  for (const auto& [name, t] : tensors) add(name, all_of(t));

  const std::pair<const char*, const nn::Module&> models[] = {
      {"net", net}, {"bare", bare}, {"open", open}};
  for (const auto& [name, model] : models) {
    add(name, to_string(model));
    for (const auto& [path, m] : model.named_modules()) {
      add(fmt::format("{}: {}", name, path), m.is_training());
    }
    for (const auto& [path, p] : model.named_parameters()) {
      add(fmt::format("{}: {}", name, path), all_of(p));
    }
    for (const auto& [path, b] : model.named_buffers()) {
      add(fmt::format("{}: {}", name, path), fmt::format("frozen {}; {}", b.frozen(), all_of(b)));
    }
  }
  for (const auto& [path, t] : net.state_dict()) add("saved: " + path, bits(t));
  for (const Buffer* b : {&bare.running_mean, &bare.running_var, &bare.num_batches_tracked}) {
    add("bare", all_of(*b) + (bare.has_record() ? " listed" : ""));
  }
  for (const auto& [name, t] : sgd.state_dict()) add(name, bits(t));
  for (const auto& group : sgd.groups()) {
    for (const Tensor& p : group.params()) add("sgd: a parameter", fmt::ptr(p.handle().get()));
    for (const auto& state : group.state()) add("sgd: a buffer", all_of(state[0]));
  }
  add("the generator", bits(default_generator().state()));
  add("gradients enabled", is_grad_enabled());
  add("threads", num_threads());
  return all;
}

void check_bad_calls(std::span<const BadCall> calls, const std::string& end) {
  for (const BadCall& bad : calls) {
    const std::string expected = bad.says + end;
    check_row("expected: " + expected, [&] {
      World w;
      const auto before = w.snapshot();
      std::string said = "(it did not throw)";
      bool no_memory = false;
      try {
        bad.call(w);
      } catch (const Error& error) {
        said = error.what();
      } catch (const OutOfMemory& error) {
        said = error.what();
        no_memory = true;
      } catch (const std::exception& error) {
        said = std::string("(not cairn::Error) ") + error.what();
      }
      CHECK(said == expected);
      CHECK(no_memory == (expected.find("cannot allocate") != expected.npos));
      const auto after = w.snapshot();
      REQUIRE(after.size() == before.size());
      for (std::size_t k = 0; k < before.size(); ++k) {
        INFO("has changed: ", before[k].first);
        CHECK((before[k] == after[k]));
      }
      CHECK(w.trains());
    });
  }
}

}  // namespace cairn::test
