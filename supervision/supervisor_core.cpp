// The phases of a supervisor's shutdown.
#include <coppice/detail/supervisor_core.h>

#include "supervision/overseer.h"

#include <coppice/detail/worker_core.h>
#include <coppice/executor.h>
#include <coppice/sleep.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

namespace coppice::inline v0::detail {

supervisor_core::supervisor_core(std::string_view name, const source_site& site,
                                 std::optional<std::size_t> max_children,
                                 const shutdown_defaults& usual, const restart_rules& rules,
                                 cancel_node* parent, worker_core& here)
    : group_core(name, site, child_failures::report, max_children, parent, here),
      usual_(usual),
      rules_(rules) {
  request_.of = this;
  request_.run = [](detail::job& self, worker_core& on) noexcept {
    supervisor_core& of = *static_cast<own_job&>(self).of;
    of.begin_shutdown({}, reason_access::immortal(cancel_kind::shutdown), on);
    of.drop();
  };
  leaving_.of = this;
  leaving_.run = [](detail::job& self, worker_core& on) noexcept {
    static_cast<own_job&>(self).of->leave_children(on);
  };
  last_.of = this;
  last_.run = [](detail::job& self, worker_core& on) noexcept {
    supervisor_core& of = *static_cast<end_of_left&>(static_cast<scope_joiner&>(self)).of;
    of.report_failures(of.node(), on);
    of.close(on);
    of.drop();
  };
  may_be_left();
}

supervisor_core::~supervisor_core() {
  delete known_overseer();
}

// Where there is nothing to drain it is a request like others, and shows at once.
void supervisor_core::request_shutdown() noexcept {
  if (usual_.drain <= duration::zero()) {
    cancel(reason_access::immortal(cancel_kind::shutdown));
  }
  const executor_pin there(home());
  if (there.get() != nullptr && !requested_shutdown_.exchange(true, std::memory_order_relaxed)) {
    add_reference();
    there.post(request_);
  }
}

void supervisor_core::begin_shutdown(const shutdown_options& how, const cancel_reason& reason,
                                     worker_core& here) {
  if (!enter_open()) {
    return;  // It has ended.
  }
  seal();
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = phase_ == phase::open;
    if (first) {
      phase_ = phase::draining;
      reason_ = reason;
      grace_time_ = how.grace.value_or(usual_.grace);
      bounds_all_ = how.grace.has_value();
      stuck_ = how.stuck.value_or(usual_.stuck);
    }
  }
  if (first) {
    if (overseer* const oversees = known_overseer()) {
      oversees->wake();
    }
    const duration drain = how.drain.value_or(usual_.drain);
    if (drain <= duration::zero() || size() == 0) {
      end_drain(here);
    } else if (drain != forever) {
      set(drain_, drain, here);
    }
  }
  leave();
}

// Without memory for an alarm the drain is over, and the grace never: nobody is left or ends the process for that.
void supervisor_core::set(step& alarm, duration d, worker_core& here) noexcept {
  try {
    alarm.set(time_in(d), here);
  } catch (...) {
    if (&alarm == &drain_) {
      end_drain(here);
    }
  }
}

void supervisor_core::end_drain(worker_core& here) noexcept {
  std::optional<cancel_reason> reason;
  {
    const std::lock_guard lock(mutex_);
    if (phase_ != phase::draining) {
      return;
    }
    phase_ = phase::cancelling;
    reason = reason_;
  }
  cancel(*reason);
  end_body();
  if (grace_time_ != forever && enter_open()) {
    set(grace_, grace_time_, here);
    leave();
  }
}

void supervisor_core::child_ended(task_status how) noexcept {
  const std::lock_guard lock(mutex_);
  if (phase_ == phase::open) {
    return;
  }
  if (how == task_status::failed) {
    ++report_.failed;
  } else if (how == task_status::cancelled) {
    ++report_.cancelled;
  } else if (phase_ == phase::draining) {
    ++report_.finished;
  }
}

// Of several that leave at once, the last to come here finds all gone.
void supervisor_core::children_left(worker_core& here) noexcept {
  bool drained = false;
  bool some_left_behind = false;
  {
    const std::lock_guard lock(mutex_);
    drained = phase_ == phase::draining && size() <= below_;
    some_left_behind = left_behind_ != 0;
  }
  if (drained) {
    end_drain(here);
  }
  if (some_left_behind) {
    leave_if_due(here);
  }
}

void supervisor_core::add_waiter_below(worker_core& here) noexcept {
  bool drained = false;
  {
    const std::lock_guard lock(mutex_);
    ++below_;
    drained = phase_ == phase::draining && size() <= below_;
  }
  if (drained) {
    end_drain(here);
  }
}

void supervisor_core::add_waiter(shutdown_waiter& waiting) {
  const std::lock_guard lock(mutex_);
  if (phase_ == phase::over || closed() || left()) {
    tell(waiting);
  } else {
    waiters_.push_back(&waiting);
  }
}

void supervisor_core::remove_waiter(shutdown_waiter& waiting) noexcept {
  const std::lock_guard lock(mutex_);
  std::erase(waiters_, &waiting);
}

// Under the lock. Where there is no memory to name the stuck, it is as where there was none to find them.
void supervisor_core::tell(shutdown_waiter& waiting) noexcept {
  try {
    waiting.report = report_;
  } catch (const std::bad_alloc&) {
    waiting.report = {report_.finished, report_.cancelled, report_.failed, {}};
  }
  waiting.told.set();
}

void supervisor_core::tell_waiters() noexcept {
  const std::lock_guard lock(mutex_);
  for (shutdown_waiter* const each : waiters_) {
    tell(*each);
  }
  waiters_.clear();
}

void supervisor_core::cancel_host(const cancel_reason& reason) noexcept {
  pass_on_.store(true, std::memory_order_relaxed);
  cancel(reason);
}

void supervisor_core::leaving() noexcept {
  if (pass_on_.load(std::memory_order_relaxed)) {
    if (outcome_cell* const host = node().task()) {
      host->cancel(reason());
    }
  }
}

overseer& supervisor_core::required_overseer() {
  const std::lock_guard lock(mutex_);
  overseer* known = known_overseer();
  if (known == nullptr) {
    known = new overseer(*this);
    overseer_.store(known, std::memory_order_release);  // SV2
  }
  return *known;
}

bool supervisor_core::shutting_down() const noexcept {
  const std::lock_guard lock(mutex_);
  return phase_ != phase::open;
}

void supervisor_core::give_up(std::exception_ptr error) noexcept {
  own_failure_ = error_entry(std::move(error));
  cancel(cancel_reason(cancel_kind::sibling_failed, {}, site()));
}

void supervisor_core::oversight_begins() noexcept {
  const std::lock_guard lock(mutex_);
  ++overseers_;
}

void supervisor_core::oversight_has_ended(worker_core& here) noexcept {
  {
    const std::lock_guard lock(mutex_);
    --overseers_;
  }
  leave_if_due(here);
}

std::vector<task_ref> supervisor_core::spawned(const worker_core& here) {
  std::vector<task_ref> tasks;
  const task_keeper& keeper = children();
  for (const task_ref& each : executor_of(here).live_tasks()) {
    if (&handle_access::cell(each, "which_children()").keeper() == &keeper) {
      tasks.push_back(each);
    }
  }
  return tasks;
}

void supervisor_core::close_node(worker_core& here) noexcept {
  if (overseer* const oversees = known_overseer()) {
    oversees->close(here);
  }
  static_cast<void>(drain_.clear(here));
  static_cast<void>(grace_.clear(here));
  group_core::close_node(here);
  {
    const std::lock_guard lock(mutex_);
    phase_ = phase::over;
  }
  tell_waiters();
  std::vector<stuck_child> named;
  const std::lock_guard lock(mutex_);
  named.swap(report_.stuck);
}

}  // namespace coppice::inline v0::detail
