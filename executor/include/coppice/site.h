// Where something was written in the user's source, and how a task is named by number.
#pragma once

#include <cstdint>

namespace coppice::inline v0 {

// A place in the source; trivially copyable, points at string literals. As a default argument it
// names the caller. (Not std::source_location: supported standard libraries lack it under some
// compilers.)
struct source_site {
  const char* file = "";
  const char* function = "";
  std::uint32_t line = 0;

  static constexpr source_site current(const char* file = __builtin_FILE(),
                                       const char* function = __builtin_FUNCTION(),
                                       std::uint32_t line = __builtin_LINE()) noexcept {
    return {.file = file, .function = function, .line = line};
  }
};

// Identifies a task in dumps and reports; unique within a process, never used twice. 0: no task (a
// foreign thread).
enum class task_id : std::uint64_t { none = 0 };

}  // namespace coppice::inline v0
