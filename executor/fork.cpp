// The ways a fork ends that are not the common one: stolen, failed, stopped.
#include <coppice/detail/fork_base.h>

#include "executor/executor_state.h"

#include <coppice/detail/outcome_cell.h>
#include <coppice/report.h>

namespace coppice::inline v0::detail {

namespace {

// A failure that came too late to be thrown.
void report_suppressed(std::exception_ptr error, worker_core& here) noexcept {
  const outcome_cell* const task = here.scope != nullptr ? here.scope->task() : nullptr;
  error_entry entry = task == nullptr ? error_entry(std::move(error))
                                      : make_entry(std::move(error), task->id(), task->name(),
                                                   task->site(), {}, {}, {});
  here.home.owner.report({error_origin::suppressed, std::move(entry), {}, {}});
}

}  // namespace

void fork_node::stop_children(worker_core& here) noexcept {
  if (state_.request()) {
    here.home.bump_epoch();
    walk_below(here);
  }
}

const reason_block* fork_node::own_reason() const noexcept {
  return reason_block::immortal(cancel_kind::sibling_failed);
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
  word_.fetch_or(stopped_bit, std::memory_order_relaxed);
  return arrive(here, chain);
}

// A failure is delivered, a stop goes on: the parent has no value to go on with.
std::coroutine_handle<> fork_base::finish_stopped(worker_core& here, std::uint64_t word) noexcept {
  if ((word & failed_bit) != 0) {
    here.post(parent_->as_job());
    return std::noop_coroutine();
  }
  return here.stop_from_loop(*parent_);
}

// The list has the latest first.
void fork_base::throw_first_failure() {
  failure_slot* each = failures_.exchange(nullptr, std::memory_order_relaxed);
  while (failure_slot* const earlier = each->earlier()) {
    report_suppressed(each->take_failure(), *this_worker());
    each = earlier;
  }
  std::rethrow_exception(each->take_failure());
}

void fork_each_base::child_failed(std::exception_ptr error, cancel_node* scope,
                                  worker_core& here) noexcept {
  if (mark_failed(scope)) {
    failure_ = std::move(error);
  } else {
    report_suppressed(std::move(error), here);
  }
}

}  // namespace coppice::inline v0::detail
