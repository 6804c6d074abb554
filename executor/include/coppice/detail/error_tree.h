// A failure that holds others, as printing sees it, and how a failure with all it holds is written.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/outcome.h>

#include <cstddef>
#include <exception>
#include <iosfwd>
#include <span>
#include <string>

namespace coppice::inline v0::detail {

// What an exception derives from to be printed as a tree: the executor's reports need not know more
// of it.
class COPPICE_EXPORT error_tree : public std::exception {
 public:
  error_tree() noexcept = default;
  error_tree(const error_tree&) noexcept = default;
  error_tree& operator=(const error_tree&) noexcept = default;
  ~error_tree() override;

  // Valid while the exception lives.
  virtual std::span<const error_entry> branches() const noexcept = 0;
  virtual std::span<const std::string> tree_notes() const noexcept = 0;
};

// Writes what is known of a failure, one fact a line, then its branches and suppressed failures,
// each set in:
//
//     | std::runtime_error: connection refused
//     | in task 12 "fetch", spawned at server.cpp:34 (serve)
//     | note: third attempt
//     | while being cancelled because deadline: too slow (by task 7, at server.cpp:20)
//     +- suppressed 1 of 1
//       | std::logic_error: the file is closed
//
// Every line begins with `indent` spaces and ends with a newline. Needs no stack for depth. Leaves
// behind the first `max_leaves`, and levels too deep to be read, are counted instead of shown.
COPPICE_EXPORT void print_entry(std::ostream& out, const error_entry& entry, int indent = 0,
                                std::size_t max_leaves = 50);

}  // namespace coppice::inline v0::detail
