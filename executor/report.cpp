#include <coppice/report.h>

#include <coppice/detail/error_tree.h>

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ostream>
#include <sstream>

#include "executor/wording.h"

namespace coppice::inline v0 {
namespace {

std::string_view headline(error_origin origin) noexcept {
  switch (origin) {
    case error_origin::child:
      return "a task failed";
    case error_origin::cleanup:
      return "a cleanup failed or took too long";
    case error_origin::handler:
      return "an error handler or callback threw";
    case error_origin::suppressed:
      return "a failure was lost to an earlier one";
    case error_origin::never_retrieved:
      return "nobody took a failure";
  }
  return "a failure";
}

// Writes all of it, in one call unless the system takes only a part.
void write_to_stderr(const char* text, std::size_t size) noexcept {
  const int saved_errno = errno;
  while (size != 0) {
    const ssize_t written = ::write(STDERR_FILENO, text, size);
    if (written >= 0) {
      text += written;
      size -= static_cast<std::size_t>(written);
    } else if (errno != EINTR) {
      break;  // Nobody listens.
    }
  }
  errno = saved_errno;
}

// A line put together without memory; what does not fit is cut off.
class bounded_line {
 public:
  bounded_line& operator<<(std::string_view text) noexcept {
    const std::size_t size = std::min(text.size(), sizeof text_ - 1 - size_);
    std::memcpy(text_ + size_, text.data(), size);
    size_ += size;
    return *this;
  }

  void write() noexcept {
    text_[size_] = '\n';
    write_to_stderr(text_, size_ + 1);
  }

 private:
  char text_[1024];
  std::size_t size_ = 0;
};

void write_without_memory(const error_report& report) noexcept {
  bounded_line line;
  line << "coppice: " << headline(report.origin) << " (" << to_string(report.origin) << "): ";
  if (const std::type_info* const type = report.entry.type()) {
    line << type->name();
  } else {
    line << "no exception";
  }
  if (const auto* const exception = report.entry.get_if<std::exception>()) {
    const char* const what = exception->what();
    line << ": " << (what != nullptr ? what : "");
  }
  line << " [no memory to say more]";
  line.write();
}

}  // namespace

std::string_view to_string(error_origin origin) noexcept {
  switch (origin) {
    case error_origin::child:
      return "child";
    case error_origin::cleanup:
      return "cleanup";
    case error_origin::handler:
      return "handler";
    case error_origin::suppressed:
      return "suppressed";
    case error_origin::never_retrieved:
      return "never_retrieved";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, const error_report& report) {
  out << "coppice: " << headline(report.origin) << " (" << to_string(report.origin) << ')';
  if (!report.scope.empty()) {
    out << ", reported by " << detail::quoted(report.scope);
  }
  out << '\n';
  if (!report.parents.empty()) {
    const char* before = "  below ";
    for (const std::string& parent : report.parents) {
      out << before << detail::quoted(parent);
      before = " < ";
    }
    out << '\n';
  }
  detail::print_entry(out, report.entry, 2);
  return out;
}

void detail::default_error_handler(const error_report& report) noexcept {
  try {
    std::ostringstream block;
    block.exceptions(
        std::ios::badbit);  // Memory that fails inside the stream must not just cut the text.
    block << report;
    const std::string_view text = block.view();
    write_to_stderr(text.data(), text.size());
  } catch (...) {
    write_without_memory(report);
  }
}

}  // namespace coppice::inline v0
