// The phases of a supervisor's shutdown.
#include <coppice/detail/supervisor_core.h>

#include "supervision/task_list.h"

#include <coppice/detail/worker_core.h>
#include <coppice/executor.h>
#include <coppice/sleep.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

// The children of one keeper that live now.
std::vector<stuck_child> children_of(const task_keeper& keeper, const worker_core& here) {
  std::vector<stuck_child> children;
  const calls_in_flight calls(executor_of(here));
  for (const task_ref& each : executor_of(here).live_tasks()) {
    const outcome_cell& cell = handle_access::cell(each, "shutdown");
    if (&cell.keeper() == &keeper) {
      std::string what = calls.waiting_for(cell.id(), cell.waiting_for());
      children.push_back({each, std::string(cell.name()), cell.site(),
                          what.empty() ? "running" : std::move(what)});
    }
  }
  return children;
}

void print_stuck(const scope_core& of, const std::vector<stuck_child>& stuck) noexcept {
  try {
    std::string text = std::string("coppice: ") + of.kind() + ' ';
    if (!of.name().empty()) {
      text.append("\"").append(of.name()).append("\" ");
    }
    text += "waits for " + std::to_string(stuck.size()) +
            " task(s) that were asked to stop and are still there:\n";
    for (const stuck_child& each : stuck) {
      text += "task " + std::to_string(static_cast<std::uint64_t>(each.task.id()));
      if (!each.name.empty()) {
        text += " \"" + each.name + '"';
      }
      text += each.waiting_for == "running" ? " running" : " suspended on " + each.waiting_for;
      if (*each.site.file != '\0') {
        text +=
            std::string(", spawned at ") + each.site.file + ':' + std::to_string(each.site.line);
      }
      text += '\n';
    }
    std::fputs(text.c_str(), stderr);
  } catch (...) {
    std::fputs(
        "coppice: a supervisor waits for tasks that were asked to stop and are still there\n",
        stderr);
  }
}

}  // namespace

supervisor_core::supervisor_core(std::string_view name, const source_site& site,
                                 std::optional<std::size_t> max_children,
                                 const shutdown_defaults& usual, cancel_node* parent,
                                 worker_core& here)
    : group_core(name, site, child_failures::report, max_children, parent, here), usual_(usual) {
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
      stuck_ = how.stuck.value_or(usual_.stuck);
    }
  }
  if (first) {
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

void supervisor_core::end_grace(worker_core& here) noexcept {
  if (!enter_open()) {
    return;
  }
  on_stuck how = on_stuck::wait;
  bool body_stuck = false;
  {
    std::vector<stuck_child> stuck;
    try {
      stuck = children_of(*keeper(), here);
    } catch (...) {
      stuck.clear();  // No memory to name them.
    }
    const std::lock_guard lock(mutex_);
    report_.stuck = std::move(stuck);
    how = stuck_;
    if (how == on_stuck::leave_to_root) {
      to_be_left_ = true;
      body_stuck = !body_left_;
    } else {
      print_stuck(*this, report_.stuck);
    }
  }
  if (how == on_stuck::terminate) {
    std::terminate();
  }
  if (how != on_stuck::leave_to_root) {
    leave();
  } else if (body_stuck) {  // That keeps the host, but not whoever waits for the shutdown.
    tell_waiters();
    leave();
  } else {
    post_leaving();
  }
}

// Whoever leaves a host to go on touches nothing of it afterwards: so the body is counted until this has been seen, or
// what it counts is the job's.
bool supervisor_core::leave_body() noexcept {
  const core_ref kept = core_ref::share(this);
  const std::lock_guard lock(mutex_);
  body_left_ = true;
  if (to_be_left_) {
    post_leaving();
    return false;
  }
  return leave_last();
}

// A step of its own, as it waits for those that climb. It has been counted in.
void supervisor_core::post_leaving() noexcept {
  add_reference();
  executor_pin(home()).post(leaving_);
}

// The children count with the root as well, which goes on waiting for them.
void supervisor_core::leave_children(worker_core& here) noexcept {
  leaving();
  scope_joiner& host = leave_to_root(last_, here);
  left_.store(true, std::memory_order_release);  // SV1
  here.post(host);
  tell_waiters();
  leave();
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
  {
    const std::lock_guard lock(mutex_);
    drained = phase_ == phase::draining && size() <= below_;
  }
  if (drained) {
    end_drain(here);
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

void supervisor_core::close_node(worker_core& here) noexcept {
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
