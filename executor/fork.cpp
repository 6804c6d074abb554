// The ways a fork ends that are not the common one: stolen, failed, stopped.
#include <coppice/detail/fork_base.h>

#include "executor/executor_state.h"

#include <coppice/detail/outcome_cell.h>
#include <coppice/error.h>
#include <coppice/report.h>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

namespace {

outcome_cell* running_task(const worker_core& here) noexcept {
  return here.scope != nullptr ? here.scope->task() : nullptr;
}

// What is known of a failure of a child. Each but the first came while the others were being stopped, if the fork is a
// scope.
error_entry entry_of_child(std::exception_ptr error, bool stopped_by_sibling,
                           worker_core& here) noexcept {
  outcome_cell* const task = running_task(here);
  error_entry entry = task == nullptr ? error_entry(error) : task->entry_for(error, here.scope);
  if (!stopped_by_sibling || entry.context() != nullptr) {
    return entry;
  }
  try {
    return make_entry(std::move(error), entry.id(), entry.name(), entry.site(),
                      reason_access::immortal(cancel_kind::sibling_failed),
                      {entry.suppressed().begin(), entry.suppressed().end()},
                      {entry.notes().begin(), entry.notes().end()});
  } catch (const std::bad_alloc&) {
    return entry;
  }
}

// Reports those that are not thrown, and throws the one that is: a fatal one if there is any, else the first.
[[noreturn]] void throw_one(std::vector<error_entry>&& entries, worker_core& here) {
  auto thrown = std::find_if(entries.begin(), entries.end(),
                             [](const error_entry& each) { return is_fatal(each.error()); });
  if (thrown == entries.end()) {
    thrown = entries.begin();
  }
  for (auto each = entries.begin(); each != entries.end(); ++each) {
    if (each != thrown) {
      report_from(here.scope, here, error_origin::suppressed, *each);
    }
  }
  const std::exception_ptr error = thrown->error();
  outcome_cell* const task = running_task(here);
  if (task != nullptr && entries.size() > 1) {
    entries.erase(thrown);
    task->remember(make_entry(error, task_id::none, {}, {}, std::nullopt, std::move(entries), {}));
  }
  std::rethrow_exception(error);
}

}  // namespace

void fork_node::stop_children(worker_core& here) noexcept {
  if (state_.request()) {
    here.home.bump_epoch();
    walk_below(here);
  }
}

const reason_block* fork_node::known_reason() const noexcept {
  return requested() ? reason_block::immortal(cancel_kind::sibling_failed) : nullptr;
}

void fork_base::start_stolen(job& self, worker_core& here) noexcept {
  auto& fork = static_cast<fork_base&>(self);
  promise_base& child = *fork.upcoming_;
  here.scope = child.scope();
  fork.start_next(here, 1).resume();
}

std::coroutine_handle<> fork_base::arrive(worker_core& here, std::uint32_t chain) noexcept {
  const std::uint64_t before = word_.fetch_sub(chain, std::memory_order_acq_rel);  // J1
  if ((before & pending_mask) != chain) {
    return std::noop_coroutine();
  }
  return finish(here, before);
}

// What has not begun need not begin.
std::coroutine_handle<> fork_base::start_no_more(worker_core& here, std::uint32_t chain) noexcept {
  --chain;
  while (promise_base* const child = upcoming_) {
    upcoming_ = static_cast<promise_base*>(child->next);
    child->handle().destroy();
    ++chain;
  }
  if (chain == total_) {
    return finish(here, word_.load(std::memory_order_relaxed));
  }
  return arrive(here, chain);
}

// Called in the frame of the child that fails: those who are stopped by it cannot end the fork, for this child has
// not arrived.
bool fork_base::mark_failed(cancel_node* scope) noexcept {
  if ((word_.fetch_or(failed_bit, std::memory_order_relaxed) & failed_bit) != 0) {
    return false;
  }
  if (opens_ != 0) {
    static_cast<fork_node*>(scope)->stop_children(*this_worker());
  }
  return true;
}

void fork_base::child_failed(failure_slot& failure, cancel_node* scope) noexcept {
  failure_slot* newest = failures_.load(std::memory_order_relaxed);
  do {
    failure.earlier(newest);
  } while (!failures_.compare_exchange_weak(newest, &failure, std::memory_order_relaxed));
  mark_failed(scope);
}

std::coroutine_handle<> fork_base::child_stopped(worker_core& here, std::uint32_t chain) noexcept {
  return here.ledger.stop(*this, chain) ? nothing_next() : children_stopped(here, chain);
}

std::coroutine_handle<> fork_base::children_stopped(worker_core& here,
                                                    std::uint32_t chains) noexcept {
  word_.fetch_or(stopped_bit, std::memory_order_relaxed);
  return arrive(here, chains);
}

// A failure is delivered, a stop goes on: the parent has no value to go on with.
std::coroutine_handle<> fork_base::finish_stopped(worker_core& here, std::uint64_t word) noexcept {
  if ((word & failed_bit) != 0) {
    here.post(parent_->as_job());
    return std::noop_coroutine();
  }
  return here.stop_from_loop(*parent_);
}

// The list has the latest first. Without memory for all of them each is reported by itself.
void fork_base::throw_first_failure() {
  worker_core& here = *this_worker();
  failure_slot* each = failures_.exchange(nullptr, std::memory_order_relaxed);
  if (each->earlier() == nullptr) {
    std::rethrow_exception(each->take_failure());
  }
  std::vector<error_entry> entries;
  while (each != nullptr) {
    failure_slot* const earlier = each->earlier();
    error_entry entry =
        entry_of_child(each->take_failure(), opens_ != 0 && earlier != nullptr, here);
    each = earlier;
    try {
      entries.push_back(entry);
    } catch (const std::bad_alloc&) {
      if (each == nullptr) {
        std::rethrow_exception(entry.error());
      }
      report_from(here.scope, here, error_origin::suppressed, std::move(entry));
    }
  }
  std::reverse(entries.begin(), entries.end());
  throw_one(std::move(entries), here);
}

// A failure behind the first, until the parent takes it.
class fork_each_base::late_failure {
 public:
  std::exception_ptr error;
  late_failure* earlier;
};

void fork_each_base::child_failed(std::exception_ptr error, cancel_node* scope,
                                  worker_core& here) noexcept {
  if (mark_failed(scope)) {
    failure_ = std::move(error);
    return;
  }
  auto* const late = new (std::nothrow) late_failure{error, nullptr};
  if (late == nullptr) {
    report_from(here.scope, here, error_origin::suppressed,
                entry_of_child(std::move(error), opens(), here));
    return;
  }
  late->earlier = late_.load(std::memory_order_relaxed);
  while (!late_.compare_exchange_weak(late->earlier, late, std::memory_order_relaxed)) {
  }
}

void fork_each_base::throw_failure() {
  worker_core& here = *this_worker();
  late_failure* each = late_.exchange(nullptr, std::memory_order_relaxed);
  if (each == nullptr) {
    std::rethrow_exception(std::move(failure_));
  }
  std::vector<error_entry> entries;
  while (each != nullptr) {
    const std::unique_ptr<late_failure> mine(each);
    each = mine->earlier;
    error_entry entry = entry_of_child(mine->error, opens(), here);
    try {
      entries.push_back(entry);
    } catch (const std::bad_alloc&) {
      report_from(here.scope, here, error_origin::suppressed, std::move(entry));
    }
  }
  try {
    entries.push_back(entry_of_child(failure_, false, here));
  } catch (const std::bad_alloc&) {
    std::rethrow_exception(std::move(failure_));
  }
  std::reverse(entries.begin(), entries.end());
  throw_one(std::move(entries), here);
}

}  // namespace coppice::inline v0::detail
