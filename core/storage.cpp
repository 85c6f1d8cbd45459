// Each storage is one block: a header of one cache line, then the data, which is aligned, too.
#include <cairn/core/storage.h>

#include <new>

namespace cairn::detail {
namespace {
constexpr std::size_t header = alignment;
}

Ref<Storage> Storage::allocate(const char* op, std::size_t bytes) {
  static_assert(sizeof(Storage) <= header);
  auto* const block = static_cast<std::byte*>(detail::allocate(op, header + bytes));
  auto* const storage = new (block) Storage;
  storage->data_ = block + header;
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
  deallocate(storage, header + bytes);
}

}  // namespace cairn::detail
