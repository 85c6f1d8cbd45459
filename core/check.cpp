// An Error keeps the parts of its text, so that enter() can put names in front of the path.
#include <cairn/core/check.h>

#include <cstdio>
#include <string>

namespace cairn {

struct Error::Text : detail::Counted {
  static void destroy(Text* text) noexcept { delete text; }

  std::string op, path, detail, whole;

  Text(std::string op_, std::string path_, std::string detail_)
      : op(std::move(op_)), path(std::move(path_)), detail(std::move(detail_)) {
    whole = op;
    if (!path.empty()) whole += (op.empty() ? "'" : " '") + path + "'";
    if (!whole.empty()) whole += ": ";
    whole += detail;
  }
};

Error::Error(std::string_view message) noexcept {
  const std::size_t colon = message.find(": ");
  const bool named = colon != std::string_view::npos;
  try {
    text_ = detail::Ref(new Text(std::string(message.substr(0, named ? colon : 0)), "",
                                 std::string(message.substr(named ? colon + 2 : 0))));
  } catch (const std::bad_alloc&) {
    message.copy(plain_, sizeof plain_ - 1);
  }
}

Error::Error(const Error&) noexcept = default;
Error& Error::operator=(const Error&) noexcept = default;
Error::~Error() = default;

OutOfMemory::OutOfMemory(const char* op, std::size_t bytes) noexcept {
  const double gib = static_cast<double>(bytes) / (1 << 30);
  const int length = std::snprintf(text_, sizeof text_, "%s: cannot allocate %zu bytes", op, bytes);
  if (gib >= 1 && length > 0 && static_cast<std::size_t>(length) < sizeof text_) {
    const auto used = static_cast<std::size_t>(length);
    std::snprintf(text_ + used, sizeof text_ - used, " (%.1f GiB)", gib);
  }
}

const char* Error::what() const noexcept { return text_ ? text_->whole.c_str() : plain_; }

void Error::enter(std::string_view slot) noexcept {
  if (!text_) return;  // no memory was left for the parts
  try {
    std::string path(slot);
    if (!text_->path.empty()) path += "." + text_->path;
    text_ = detail::Ref(new Text(text_->op, std::move(path), text_->detail));
  } catch (const std::bad_alloc&) {  // keep the message without the new name
  }
}

void detail::fail(fmt::string_view message, fmt::format_args args) {
  throw Error(fmt::vformat(message, args));
}

}  // namespace cairn
