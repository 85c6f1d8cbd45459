// Reference counting: the count lies in the object and is atomic, so that threads may share it.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace cairn::detail {

/// The base of a class T that Ref<T> holds. T must have `static void destroy(T*) noexcept`.
struct Counted {
  Counted() = default;
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  std::atomic<uint32_t> references{0};
};

/// Like std::shared_ptr, in one pointer and without a control block.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) noexcept : object_(object) { retain(); }
  Ref(const Ref& other) noexcept : object_(other.object_) { retain(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { release(); }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

  bool is_sole() const {
    return object_ != nullptr && object_->references.load(std::memory_order_acquire) == 1;
  }

 private:
  void retain() noexcept {
    if (object_ != nullptr) object_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept {
    if (object_ != nullptr && object_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      T::destroy(object_);
    }
  }

  T* object_ = nullptr;
};

}  // namespace cairn::detail
