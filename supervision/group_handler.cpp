// The chain of handle calls on an exception_group: which handler gets which leaf, and what is left.
#include <coppice/exception_group.h>

#include "supervision/group_tree.h"

#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/worker_core.h>
#include <coppice/report.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace coppice::inline v0 {
namespace detail {

// A chain of handle calls: the leaves, and what has become of them.
struct group_handling {
  // Kept: a handler has thrown it again, so it stays unhandled and no other gets it.
  enum class fate : unsigned char { open, kept, handled };

  struct leaf {
    const error_entry* entry;  // Of the whole.
    fate now = fate::open;
  };

  explicit group_handling(const exception_group& group);

  void add_thrown(leaf& from, std::exception_ptr error) noexcept;
  group_ptr unhandled() const;
  group_ptr rest() const;
  void report_each() const noexcept;

  const exception_group given;  // To know it by, if a handler throws it.
  const group_ptr whole;        // The same, of its dynamic type.
  std::vector<leaf> leaves;
  std::vector<error_entry> thrown;  // By handlers.
};

namespace {

// The task whose code runs here; null if there is none.
outcome_cell* current_task() noexcept {
  const worker_core* const here = this_worker();
  return here != nullptr && here->scope != nullptr ? here->scope->task() : nullptr;
}

// To whoever hears of what nobody takes here.
void report(error_origin origin, const error_entry& lost) noexcept {
  if (const worker_core* const here = this_worker()) {
    report_from(here->scope, *here, origin, lost);
  } else {
    default_error_handler({origin, lost, {}, {}});
  }
}

// What the task that runs here has let go.
error_entry entry_here(std::exception_ptr error) noexcept {
  outcome_cell* const task = current_task();
  return task != nullptr ? task->entry_for(std::move(error)) : error_entry(std::move(error));
}

}  // namespace

group_handling::group_handling(const exception_group& group)
    : given(group), whole(keep_whole(group)) {
  leaf_walk walk(*whole);
  while (const error_entry* const entry = walk.next()) {
    leaves.push_back({entry});
  }
}

// By the handler of that leaf. There is room for it; if there is none for what it says of the leaf,
// the leaf itself is kept.
void group_handling::add_thrown(leaf& from, std::exception_ptr error) noexcept {
  error_entry entry(std::move(error));
  const auto* const group = entry.get_if<exception_group>();
  const bool all_of_it =
      group != nullptr && (group_access::same(*group, given) || group_access::same(*group, *whole));
  if (all_of_it || entry.error() == from.entry->error()) {
    from.now = fate::kept;
    return;
  }
  from.now = add_suppressed(entry, *from.entry) ? fate::handled : fate::kept;
  thrown.push_back(std::move(entry));
}

// The leaves that are unhandled, as a tree.
group_ptr group_handling::unhandled() const {
  std::vector<bool> chosen;
  chosen.reserve(leaves.size());
  for (const leaf& each : leaves) {
    chosen.push_back(each.now != fate::handled);
  }
  const auto count = static_cast<std::size_t>(std::count(chosen.begin(), chosen.end(), true));
  return count == 0 ? nullptr : count == leaves.size() ? whole : divide(*whole, chosen).matching;
}

group_ptr group_handling::rest() const {
  group_ptr left = unhandled();
  if (thrown.empty()) {
    return left;
  }
  std::vector<error_entry> all;
  all.reserve(thrown.size() + 1);
  if (left != nullptr) {
    all.emplace_back(as_exception(*left));
  }
  all.insert(all.end(), thrown.begin(), thrown.end());
  std::string message = "failures while handling ";
  if (whole->message().empty()) {
    message += "a group";
  } else {
    message.append("\"").append(whole->message()).append("\"");
  }
  return std::make_shared<const exception_group>(message, std::move(all));
}

void group_handling::report_each() const noexcept {
  for (const leaf& each : leaves) {
    if (each.now != fate::handled) {
      report(error_origin::suppressed, *each.entry);
    }
  }
  for (const error_entry& each : thrown) {
    report(error_origin::suppressed, each);
  }
}

}  // namespace detail

group_handler::group_handler(const exception_group& group)
    : handling_(std::make_unique<detail::group_handling>(group)) {}

group_handler::group_handler(group_handler&& other) noexcept = default;

group_handler::~group_handler() {
  if (handling_ == nullptr) {
    return;
  }
  try {
    if (const group_ptr left = handling_->rest()) {
      detail::report(error_origin::suppressed, detail::entry_here(detail::as_exception(*left)));
    }
  } catch (...) {
    handling_->report_each();
    detail::report(error_origin::handler, detail::entry_here(std::current_exception()));
  }
}

void group_handler::offer(const std::function<bool(const error_entry&)>& handles) {
  if (handling_ == nullptr) {
    return;
  }
  std::vector<error_entry>& thrown = handling_->thrown;
  for (detail::group_handling::leaf& each : handling_->leaves) {
    if (each.now != detail::group_handling::fate::open) {
      continue;
    }
    if (thrown.size() == thrown.capacity()) {
      thrown.reserve(2 * thrown.size() + 1);
    }
    try {
      if (handles(*each.entry)) {
        each.now = detail::group_handling::fate::handled;
      }
    } catch (...) {
      handling_->add_thrown(each, std::current_exception());
    }
  }
}

group_ptr group_handler::rest() && {
  if (handling_ == nullptr) {
    return nullptr;
  }
  group_ptr left = handling_->rest();
  handling_.reset();
  return left;
}

void group_handler::rethrow_rest() && {
  if (const group_ptr left = std::move(*this).rest()) {
    left->rethrow();
  }
}

}  // namespace coppice::inline v0
