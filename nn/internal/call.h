// The module calls that a thread is inside, and the updates that wait for the outermost one.
#pragma once

#include <cairn/nn/internal/update.h>
#include <cairn/nn/module.h>

#include <vector>

namespace cairn::nn {

/// Allocates what submit() needs for one update. May throw.
void make_room_for_update();

/// Applies the update when the outermost call returns, or at once if the thread is in no call.
void submit(Update update) noexcept;

/// Adds the updates that wait for this pool to it, if the thread is in a call.
void drain_into(Pool& pool) noexcept;

/// Module calls made in this scope begin units of their own.
class SeparateUnits {
 public:
  SeparateUnits();
  ~SeparateUnits();
  SeparateUnits(const SeparateUnits&) = delete;
  SeparateUnits& operator=(const SeparateUnits&) = delete;

 private:
  detail::CallScope* unit_;
};

}  // namespace cairn::nn
