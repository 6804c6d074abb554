// Failures that nobody took, and who hears of them.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/outcome.h>

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::inline v0 {

enum class error_origin {
  child,            // A supervisor's child, or a task of the root, failed.
  cleanup,          // An on_exit handler failed, or outlived its grace.
  handler,          // An error handler or on_done callback threw.
  suppressed,       // Lost to an earlier one: in gather, race, a fatal exit, the rest of a group.
  never_retrieved,  // Taken by no awaiter, group or handler before its scope exited.
};

// The enumerator's name.
COPPICE_EXPORT std::string_view to_string(error_origin origin) noexcept;

// What a handler is told. Owns all it shows; may be kept.
struct error_report {
  error_origin origin = error_origin::child;
  error_entry entry;  // Error, context (cancelled because ...), suppressed, notes, task.
  std::vector<std::string> parents;  // Scope and task names from the failing task to the root.
  std::string scope;                 // The scope that reports.
};

// Prints one block, as a traceback of a tree: names, sites, notes, "while being cancelled because
// ...". Its last character is a newline.
COPPICE_EXPORT std::ostream& operator<<(std::ostream& out, const error_report& report);

// Called on a worker, possibly on several at once. What it throws is itself reported, to the next
// handler outwards.
using error_handler = std::function<void(const error_report&)>;

// The handler of the current task's runtime; returns the previous one, empty restores the default
// (one block on stderr). usage_error outside a task: use runtime::set_error_handler. A scope's own
// on_error(fn) is nearer and wins.
COPPICE_EXPORT error_handler set_error_handler(error_handler handler);

namespace detail {

// Writes the block to stderr with one call, so that blocks of several threads do not mix. Never
// throws; without memory it still writes the origin and the failure's text.
COPPICE_EXPORT void default_error_handler(const error_report& report) noexcept;

}  // namespace detail
}  // namespace coppice::inline v0
