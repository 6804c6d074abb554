// Taking backtraces, and naming what stands in them.
#include "executor/backtrace.h"

#include <absl/debugging/symbolize.h>
#include <absl/strings/str_format.h>

#include <execinfo.h>

#include <new>

namespace coppice::inline v0::detail {

constinit atomic<int> canceller_wanted{0};

// glibc's, since absl's finds nothing where frame pointers are left out.
const backtrace* backtrace::capture() noexcept {
  auto* const made = new (std::nothrow) backtrace;
  if (made != nullptr) {
    made->count_ = ::backtrace(made->calls_, most_calls);
  }
  return made;
}

// An address lies behind its call, perhaps in the next function.
std::string backtrace::text(std::string_view headline) const {
  std::string text(headline);
  for (int i = 1; i < count_; ++i) {
    char name[1024];
    const auto* const call = static_cast<const char*>(calls_[i]) - 1;
    if (absl::Symbolize(call, name, sizeof name)) {
      absl::StrAppendFormat(&text, "\n  %s", name);
    } else {
      absl::StrAppendFormat(&text, "\n  %p", calls_[i]);
    }
  }
  return text;
}

}  // namespace coppice::inline v0::detail
