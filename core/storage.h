// Bytes that tensors share, and a version number that every write moves.
#pragma once

#include <cairn/core/memory.h>
#include <cairn/core/ref.h>

#include <cstddef>
#include <cstdint>

namespace cairn::detail {

/// What is called when borrowed memory is no longer needed.
struct CAIRN_API Deleter {
  virtual ~Deleter() = default;
  virtual void run() noexcept = 0;
};

/// One block: this header, then the data; or the header alone, beside memory that is borrowed.
class Storage : public Counted {
 public:
  static Ref<Storage> allocate(const char* op, std::size_t bytes);
  static Ref<Storage> borrow(void* data);
  static void destroy(Storage* storage) noexcept;

  std::byte* data() const { return data_; }
  /// Takes over what is called when borrowed data is no longer needed.
  void set_deleter(Deleter* deleter) noexcept { deleter_ = deleter; }

  /// Counts the writes, to any part. A tensor saved for backward is good while this stands still.
  uint32_t version = 0;
  /// Counts the in-place ops that joined a graph. A view taken before one no longer knows where
  /// its values come from.
  uint32_t epoch = 0;
  /// A module's buffer: written by its owner alone.
  bool guarded = false;

 private:
  Storage() = default;

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;       // of the data that follows; 0 if borrowed
  Deleter* deleter_ = nullptr;  // of borrowed data
};

}  // namespace cairn::detail
