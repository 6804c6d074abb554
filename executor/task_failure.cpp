// What is known of a task's failure besides the exception.
#include <coppice/detail/outcome_cell.h>

#include "executor/task_annex.h"

#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

error_entry outcome_cell::entry_for(std::exception_ptr error, cancel_node* where) noexcept {
  std::optional<cancel_reason> context;
  cancel_node& under = where != nullptr ? *where : node_;
  if (under.cancelled_at(home_.link->cancels.load(std::memory_order_acquire))) {  // E1
    context = under.reason();
  }
  std::vector<error_entry> suppressed;
  std::vector<std::string> notes;
  try {
    if (const annex* const mine = extra()) {
      const std::lock_guard lock(mutex());
      for (const error_entry& each : mine->remembered) {
        if (each.error() == error) {
          suppressed.assign(each.suppressed().begin(), each.suppressed().end());
          if (!context && each.context() != nullptr) {
            context = *each.context();
          }
        }
      }
    }
  } catch (const std::bad_alloc&) {
    suppressed.clear();
  }
  try {
    notes = backtraces(context);
  } catch (const std::bad_alloc&) {
    notes.clear();
  }
  return make_entry(std::move(error), id_, name(), site_, std::move(context), std::move(suppressed),
                    std::move(notes));
}

// None unless COPPICE_DEBUG is on.
std::vector<std::string> outcome_cell::backtraces(
    const std::optional<cancel_reason>& context) const {
  std::vector<std::string> texts;
  const annex* const mine = extra();
  if (mine != nullptr && mine->spawned_by) {
    texts.push_back(mine->spawned_by->text("spawned by"));
  }
  const reason_block* const why = context ? reason_access::body(*context) : nullptr;
  if (why != nullptr && why->made_by() != nullptr) {
    texts.push_back(why->made_by()->text("cancelled by"));
  }
  return texts;
}

// Of a failure that is caught nobody will ask; so the latest few must do.
void outcome_cell::remember(error_entry about) noexcept {
  constexpr std::size_t most = 16;
  error_entry oldest;  // Goes behind the lock: an exception's destructor is the user's code.
  try {
    const std::lock_guard lock(mutex());
    std::vector<error_entry>& remembered = make_annex().remembered;
    if (remembered.size() == most) {
      oldest = std::move(remembered.front());
      remembered.erase(remembered.begin());
    }
    remembered.push_back(std::move(about));
  } catch (const std::bad_alloc&) {
    return;  // What it says has been reported besides.
  }
}

}  // namespace coppice::inline v0::detail
