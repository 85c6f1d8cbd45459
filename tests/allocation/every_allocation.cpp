// How things are written down to the last bit, and the experiment itself, which must not allocate
// while allocations fail.
#include "allocation/every_allocation.h"

#include "allocation/failing_new.h"

#include <cairn/core/random.h>
#include <cairn/core/record.h>
#include <cairn/nn/batch_norm.h>

#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <typeinfo>

namespace cairn::test {

Bits& Bits::operator<<(const std::string& text) {
  text_ += fmt::format("{}:", text.size()) + text;
  return *this;
}
Bits& Bits::operator<<(double number) {
  return *this << std::string(reinterpret_cast<const char*>(&number), sizeof number);
}

Bits values(const Tensor& x) {
  Bits bits;
  if (!x.defined()) return bits << "undefined";
  const Tensor dense = x.detach().contiguous();
  const auto size = static_cast<std::size_t>(dense.numel() * element_size(dense.dtype()));
  return bits << to_string(x.shape()) << to_string(x.dtype())
              << std::string(reinterpret_cast<const char*>(dense.view_of().data), size);
}

Bits values(const StateDict& dict) {
  Bits bits;
  for (const auto& [name, x] : dict) bits << name << values(x);
  return bits;
}

Bits state(const Tensor& x) {
  Bits bits;
  if (!x.defined()) return bits << "undefined";
  const detail::TensorImpl& impl = x.impl();
  const detail::Storage& storage = *impl.view.storage;
  bits << values(x) << storage.version << storage.epoch << storage.guarded << impl.epoch;
  bits << fmt::format("{} {}", static_cast<const void*>(impl.node.get()), impl.requires_grad());
  if (!impl.slot) return bits << "no slot";
  const detail::GradSlot& slot = *impl.slot;
  return bits << (slot.name ? slot.name->path() : "") << static_cast<double>(slot.hooks.size())
              << slot.retain
              << fmt::format("{}", static_cast<const void*>(slot.grad.handle().get()))
              << state(slot.grad) << values(slot.staged);
}

Bits state(const std::vector<Tensor>& tensors) {
  Bits bits;
  for (const Tensor& x : tensors) bits << state(x);
  return bits;
}

Bits state(const nn::Module& model) {
  Bits bits;
  for (const auto& [path, module] : model.named_modules()) {
    bits << path << to_string(module) << module.is_training();
    if (const auto* bn = dynamic_cast<const nn::BatchNorm*>(&module)) bits << bn->has_record();
  }
  for (const auto& [path, p] : model.named_parameters()) bits << path << state(p);
  for (const auto& [path, b] : model.named_buffers()) {
    bits << path << state(b) << b.frozen();
  }
  return bits;
}

Bits state(const optim::SGD& optimizer) {
  Bits bits = values(optimizer.state_dict());
  for (const auto& group : optimizer.groups()) {
    bits << state(group.params());
    for (const auto& kept : group.state()) bits << state({kept.begin(), kept.end()});
  }
  return bits;
}

Bits state_of_generator() { return values(default_generator().state()); }

namespace {

// What came out of a call, kept without allocating.
struct Came {
  bool threw = false, is_bad_alloc = false;
  char text[200] = "";

  void call(const std::function<void()>& f) {
    try {
      f();
    } catch (const std::bad_alloc& error) {
      is_bad_alloc = true;
      keep(error.what());
    } catch (const std::exception& other) {
      keep(typeid(other).name());
    } catch (...) {
      keep("something that is no exception");
    }
  }

 private:
  void keep(const char* what) {
    threw = true;
    std::snprintf(text, sizeof text, "%s", what);
  }
};

// What going on comes to when nothing fails.
Bits undisturbed(const std::function<Trial()>& make, bool called_before) {
  const Trial trial = make();
  if (called_before) trial.call();
  return trial.go_on();
}

// One failure; what is wrong after it, or null. `struck` says whether there was one at all.
const char* try_one(const std::function<Trial()>& make, int64_t k, Failing how, const Bits& again,
                    Came& came, bool& struck) {
  const Trial trial = make();
  const Bits before = trial.state();
  const int64_t blocks = live_blocks();
  {
    const FailingNew failing(k, how);
    came.call(trial.call);
    struck = failing.struck();
  }
  if (!struck) return came.threw ? "it throws without a failure" : nullptr;
  if (!came.threw) {
    return trial.go_on() == undisturbed(make, true) ? nullptr
                                                    : "it returned, and has not done its work";
  }
  if (!came.is_bad_alloc) return "this came out";
  if (live_blocks() > blocks && !trial.keeps_room) return "blocks were kept";
  if (!(trial.state() == before)) return "something has changed";
  return trial.go_on() == again ? nullptr : "going on comes to something else";
}

// Fills in `tried` until something is wrong.
void try_all(Tried& tried, const std::string& name, const std::function<Trial()>& make) {
  const Bits again = undisturbed(make, false);
  for (const Failing how : {Failing::once, Failing::from_then_on}) {
    bool struck = true;
    for (int64_t k = 1; struck; ++k) {
      const int64_t blocks = live_blocks();
      Came came;
      const char* wrong = try_one(make, k, how, again, came, struck);
      if (wrong == nullptr && live_blocks() != blocks) wrong = "a leak";
      if (wrong != nullptr) {
        tried.failure =
            fmt::format("{}: allocation {} fails{}: {}: {}", name, k,
                        how == Failing::once ? "" : " and all that follow", wrong, came.text);
        return;
      }
      tried.failures += struck;
    }
  }
}

}  // namespace

Tried fail_every_allocation(const std::string& name, const std::function<Trial()>& make) {
  Tried tried;
  try {
    try_all(tried, name, make);
  } catch (const std::exception& error) {
    tried.failure =
        fmt::format("{}: it throws although no allocation fails: {}", name, error.what());
  }
  return tried;
}

}  // namespace cairn::test
