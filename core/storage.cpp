// Each storage is one block: a header of one cache line, then the data, which is aligned, too.
// Data of at most eight bytes, such as a scalar's, lies in the header, behind the members. It needs
// no alignment to a cache line, since it fills no vector.
#include <cairn/core/storage.h>

#include <new>

namespace cairn::detail {
namespace {

constexpr std::size_t header = alignment;
constexpr std::size_t scalar = sizeof(int64_t);  // the bytes of the widest dtype

constexpr bool fits_in_header(std::size_t bytes) { return bytes <= scalar; }
constexpr std::size_t block_bytes(std::size_t data_bytes) {
  return fits_in_header(data_bytes) ? header : header + data_bytes;
}

}  // namespace

Ref<Storage> Storage::allocate(const char* op, std::size_t bytes) {
  static_assert(sizeof(Storage) + scalar <= header && sizeof(Storage) % scalar == 0);
  auto* const block = static_cast<std::byte*>(detail::allocate(op, block_bytes(bytes)));
  auto* const storage = new (block) Storage;
  storage->data_ = block + (fits_in_header(bytes) ? sizeof(Storage) : header);
  storage->bytes_ = bytes;
  count_data(static_cast<std::ptrdiff_t>(bytes));
  return Ref<Storage>(storage);
}

Ref<Storage> Storage::borrow(void* data) {
  auto* const storage = new (detail::allocate("from_blob", header)) Storage;
  storage->data_ = static_cast<std::byte*>(data);
  return Ref<Storage>(storage);
}

void Storage::destroy(Storage* storage) noexcept {
  if (storage->deleter_ != nullptr) {
    storage->deleter_->run();
    delete storage->deleter_;
  }
  const std::size_t bytes = storage->bytes_;
  count_data(-static_cast<std::ptrdiff_t>(bytes));
  storage->~Storage();
  deallocate(storage, block_bytes(bytes));
}

}  // namespace cairn::detail
