// The bytes that tensors share, and a version number that every write increases.
#pragma once

#include <cairn/core/memory.h>
#include <cairn/core/ref.h>

#include <cstddef>
#include <cstdint>

namespace cairn::detail {

/// Its run() is called when borrowed memory is no longer needed.
struct CAIRN_API Deleter {
  virtual ~Deleter() = default;
  virtual void run() noexcept = 0;
};

/// One block: this header, then the data. Data of at most eight bytes lies in the header. If the
/// data is borrowed, the block is the header alone.
class Storage : public Counted {
 public:
  static Ref<Storage> allocate(const char* op, std::size_t bytes);
  static Ref<Storage> borrow(void* data);
  static void destroy(Storage* storage) noexcept;

  std::byte* data() const { return data_; }
  /// Takes ownership of the deleter of borrowed data.
  void set_deleter(Deleter* deleter) noexcept { deleter_ = deleter; }

  /// Counts the writes to any part. A saved tensor is valid while this number is unchanged.
  uint32_t version = 0;
  /// Counts the in-place ops that joined a graph. A view that was taken before such an op is stale:
  /// its place in the graph is no longer that of its values.
  uint32_t epoch = 0;
  /// True for a buffer, which only its owner may write.
  bool guarded = false;
  /// True for borrowed const memory, which nobody may write.
  bool read_only = false;

 private:
  Storage() = default;

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;       // of the data; 0 if borrowed
  Deleter* deleter_ = nullptr;  // of borrowed data
};

}  // namespace cairn::detail
