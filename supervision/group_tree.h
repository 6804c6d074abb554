// The tree that exception groups show: what they share, how it is walked, and how it is divided.
//
// Nothing here recurses: a tree may be deeper than any stack.
#pragma once

#include <coppice/detail/reclaim.h>
#include <coppice/detail/reference_count.h>
#include <coppice/exception_group.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::inline v0::detail {

// What the copies of a group share. Written before the first of them shows it, and never again.
class group_state final : public reclaimable {
 public:
  // usage_error if there are no exceptions, or one of them is an empty entry.
  group_state(std::string_view message, std::vector<error_entry> exceptions,
              std::vector<std::string> notes);

  mutable reference_count references;
  const std::size_t message_size;  // The text begins with the message.
  std::string text;                // what()
  std::vector<error_entry> exceptions;
  std::vector<std::string> notes;
  std::size_t leaf_count = 0;
  bool nested = false;  // Some of the exceptions are groups.
};

struct group_access {
  static exception_group make(std::string_view message, std::vector<error_entry> exceptions,
                              std::vector<std::string> notes) {
    return exception_group(new group_state(message, std::move(exceptions), std::move(notes)));
  }

  static const group_state& state(const exception_group& group) noexcept { return *group.state_; }

  static bool same(const exception_group& one, const exception_group& other) noexcept {
    return one.state_ == other.state_;
  }

  // The group becomes a copy of another. Const, for one that nobody else has seen yet.
  static void assign(const exception_group& group, const exception_group& other) noexcept {
    other.state_->references.add();
    // The other may stand in the tree that goes away with this.
    const exception_group old(std::exchange(group.state_, other.state_));
  }
};

// Visits the leaves depth first.
class leaf_walk {
 public:
  explicit leaf_walk(const exception_group& root) { descend(root); }

  // Null at the end. Throws std::bad_alloc.
  const error_entry* next();

  // To the leaf that next() gave: the index at each level.
  std::vector<std::size_t> path() const;

 private:
  struct level {
    const group_state* state;
    std::size_t next;
  };

  void descend(const exception_group& group) {
    levels_.push_back({&group_access::state(group), 0});
  }

  std::vector<level> levels_;  // From the root down to the leaf.
};

// A group of the kind of `from`, with its notes; null if there is nothing to put into it.
group_ptr derive_from(const exception_group& from, std::vector<error_entry> exceptions);

// All of the group, as something that may outlive it.
group_ptr keep_whole(const exception_group& group);

// Divides the tree: the i-th leaf is matching if matches[i].
group_split divide(const exception_group& root, const std::vector<bool>& matches);

// The group as an exception of its dynamic type.
std::exception_ptr as_exception(const exception_group& group);

}  // namespace coppice::inline v0::detail
