// Ends, restarts, starts and stops of specified children.
#include "supervision/overseer.h"

#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/supervisor_core.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/executor.h>
#include <coppice/shield.h>
#include <coppice/sleep.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

// What a child is given at the least that is stopped with its shields overridden.
constexpr duration last_moment = std::chrono::milliseconds(10);

}  // namespace

// ---- Ends ---------------------------------------------------------------------------------------

// The task has ended: from here on the child does not run.
void overseer::settle_end(specified_child& child) {
  task_ref ended_task;
  std::shared_ptr<typed_start_state<void>> gate;
  {
    const std::lock_guard lock(mutex_);
    ended_task = std::exchange(child.current, {});
    gate.swap(child.starting);
    child.has_ended = false;
    messages_.remove(child.end);
    --running_;
  }
  outcome_cell& cell = handle_access::cell(ended_task, "a child");
  child.last_end = {cell.status(), {}, reason_access::none()};
  if (child.last_end.how == task_status::failed) {
    child.last_end.failure = cell.failure();
  } else if (child.last_end.how == task_status::cancelled) {
    child.last_end.reason = cell.reason();
  }
}

task<> overseer::take_end(child_ref child) {
  settle_end(*child);
  const child_end& end = child->last_end;
  if (!going() || is_fatal(end.failure.error())) {
    if (child->terms.restart == restart_type::temporary) {
      drop(*child);
    }
    co_return;
  }
  const bool failed = end.how == task_status::failed;
  if (child->terms.restart == restart_type::permanent ||
      (child->terms.restart == restart_type::transient && failed)) {
    co_await restart(child);
  } else {
    ended_for_good(*child);
  }
}

// By itself: one that was stopped does not come here.
void overseer::ended_for_good(specified_child& child) {
  if (child.terms.restart == restart_type::temporary) {
    drop(child);
  }
  if (!child.terms.significant || rules_.auto_shutdown == shutdown_trigger::never) {
    return;
  }
  const bool others = std::any_of(children_.begin(), children_.end(), [](const child_ref& each) {
    return each->terms.significant && (each->running() || each->restarting);
  });
  if (rules_.auto_shutdown == shutdown_trigger::any_significant || !others) {
    core_.begin_shutdown({.drain = duration::zero()},
                         cancel_reason(cancel_kind::shutdown, "a significant child has ended"),
                         *this_worker());
  }
}

// ---- Restarts -----------------------------------------------------------------------------------

// Those that are started with it, in the order of their start.
std::vector<child_ref> overseer::concerned_by(const specified_child& child) const {
  switch (rules_.strategy) {
    case restart_strategy::one_for_one:
      break;
    case restart_strategy::one_for_all:
      return {children_.begin(), children_.end()};
    case restart_strategy::rest_for_one:
      return {child_list::const_iterator(child.place), children_.end()};
  }
  return {*child.place};
}

// The child has ended, or its start has failed: counts, stops those concerned, and starts them now or later.
task<> overseer::restart(child_ref child) {
  if (!going()) {
    co_return;
  }
  set_restarting(*child, true);
  if (!window_.admit(now())) {
    give_up(*child);
    co_return;
  }
  const duration delay = next_delay(*child);
  tell_restart(*child, delay);
  co_await stop_others(child);
  if (!going()) {
    co_return;
  }
  if (delay > duration::zero()) {
    child->due = due_.emplace(time_in(delay), &*child);
    child->waits_for_due = true;
  } else {
    co_await start_again(child);
  }
}

duration overseer::next_delay(specified_child& child) {
  const backoff_policy& policy = child.terms.backoff;
  if (policy.initial <= duration::zero()) {
    return duration::zero();
  }
  if (!seed_) {
    const std::optional<std::uint64_t> given = executor_of(*this_worker()).seed();
    seed_ = given ? *given : std::random_device()();
  }
  const duration ran = child.ran_since
                           ? std::max(child.ended_at - *child.ran_since, duration::zero())
                           : duration::zero();
  return child.delay.next(
      ran, drawn_number(policy.seed != 0 ? policy.seed : *seed_, child.terms.id, child.restarts()));
}

void overseer::tell_restart(const specified_child& child, duration delay) noexcept {
  std::shared_ptr<const restart_handler> handler;
  {
    const std::lock_guard lock(mutex_);
    handler = restart_handler_;
  }
  if (handler == nullptr) {
    return;
  }
  try {
    (*handler)({.supervisor = std::string(core_.name()),
                .id = child.terms.id,
                .ended = child.last_end.how,
                .failure = child.last_end.failure,
                .reason = child.last_end.reason,
                .restarts = child.restarts() + 1,
                .recent = window_.recent(),
                .delay = delay});
  } catch (...) {
    report_from(&core_.node(), *this_worker(), error_origin::handler,
                error_entry(std::current_exception()));
  }
}

// Temporary ones are not started again, and go.
task<> overseer::stop_others(child_ref child) {
  std::vector<child_ref> concerned = concerned_by(*child);
  std::reverse(concerned.begin(), concerned.end());
  const cancel_reason why(cancel_kind::sibling_failed, {}, child->terms.site);
  for (const child_ref& each : concerned) {
    if (&*each == &*child) {
      continue;
    }
    forget_next_start(*each);
    set_restarting(*each, false);
    co_await stop(each, why);
    if (each->terms.restart == restart_type::temporary) {
      drop(*each);
    }
    if (stopping_) {
      co_return;
    }
  }
}

// All that are concerned, in order. A start that fails is one more restart, and comes behind what has been told so far.
task<> overseer::start_again(child_ref child) {
  const std::vector<child_ref> concerned = concerned_by(*child);
  for (const child_ref& each : concerned) {
    if (each->running()) {
      continue;
    }
    if (!going()) {
      co_return;
    }
    forget_next_start(*each);
    each->started_again.fetch_add(1, std::memory_order_relaxed);
    const start_result result = co_await start(each);
    if (result == start_result::given_up) {
      co_return;
    }
    if (result == start_result::failed || result == start_result::refused) {
      report_start(*each);
      if (&*each != &*child) {
        set_restarting(*child, false);  // It is started with the one that failed, if that is.
      }
      set_restarting(*each, true);
      const std::lock_guard lock(mutex_);
      messages_.push(each->next_try);
      co_return;
    }
    set_restarting(*each, false);
  }
}

void overseer::give_up(const specified_child& child) {
  core_.give_up(std::make_exception_ptr(restart_limit_exceeded(
      std::string(core_.name()), child.terms.id, window_.recent(), child.last_end.cause())));
}

void overseer::set_restarting(specified_child& child, bool restarting) noexcept {
  const std::lock_guard lock(mutex_);
  child.restarting = restarting;
}

// It is not to be started again, unless somebody says so anew.
void overseer::forget_next_start(specified_child& child) noexcept {
  if (std::exchange(child.waits_for_due, false)) {
    due_.erase(child.due);
  }
  const std::lock_guard lock(mutex_);
  messages_.remove(child.next_try);
}

void overseer::forget_next_starts() noexcept {
  for (const child_ref& each : children_) {
    forget_next_start(*each);
    set_restarting(*each, false);
  }
}

// ---- Starts -------------------------------------------------------------------------------------

task<overseer::start_result> overseer::start(child_ref child) {
  child->ran_since.reset();
  std::shared_ptr<typed_start_state<void>> gate;
  std::exception_ptr refused;
  {
    const std::lock_guard lock(mutex_);
    try {
      if (!child->launch()) {
        co_return start_result::given_up;
      }
      gate = child->starting;
      ++running_;
    } catch (...) {
      refused = std::current_exception();
    }
  }
  if (refused != nullptr) {
    child->last_end = {task_status::failed, error_entry(refused), reason_access::none()};
    co_return start_result::refused;
  }
  if (gate != nullptr) {
    auto started = gate->over.wait("a child to start");
    const outcome<> waited = co_await as_result(std::move(started));
    see_stop();
    if (!gate->has_started()) {
      if (stopping_) {
        co_await stop(child, core_.reason());
        report_start(*child);
        co_return start_result::given_up;
      }
      while (!ended(*child)) {
        co_await news_until(time_point::max());
      }
      settle_end(*child);
      if (is_fatal(child->last_end.failure.error())) {
        co_return start_result::given_up;
      }
      co_return child->last_end.how == task_status::completed ? start_result::ignored
                                                              : start_result::failed;
    }
  }
  child->ran_since = now();
  co_return start_result::started;
}

// A start that has failed, and that nobody waits for. A fatal failure has been seen to.
void overseer::report_start(const specified_child& child) noexcept {
  const error_entry& failure = child.last_end.failure;
  if (failure.error() != nullptr && !is_fatal(failure.error())) {
    report_from(&core_.node(), *this_worker(), error_origin::child, failure);
  }
}

// ---- Stops --------------------------------------------------------------------------------------

// What begins when there is no time left for one after the other has less than its own.
task<> overseer::stop(child_ref child, cancel_reason reason) {
  if (!child->running()) {
    co_return;
  }
  const bool late = hurried();
  const duration grace = child->terms.grace();
  duration limit = grace;
  if (late) {
    limit = last_moment;
  } else if (grace <= duration::zero()) {
    limit = std::max(core_.usual_grace(), last_moment);
  }
  if (late || grace <= duration::zero()) {
    child->cell().cancel_overriding(reason);
  } else {
    child->cell().cancel(reason);
  }
  time_point due = time_in(limit);
  bool named = false;
  while (!ended(*child)) {
    if (!named && (now() >= due || (hurried() && !late))) {
      named = true;
      due = time_point::max();
      if (leave_stuck(*child, reason)) {
        co_return;
      }
    }
    co_await news_until(due);
  }
  settle_end(*child);
}

// Says that it is still there. Who goes on waiting for it has shields protect it no more; else true: it is a specified
// child no more, and lives on in the supervisor, among those that spawn started.
bool overseer::leave_stuck(specified_child& child, const cancel_reason& reason) {
  task_ref stuck = child.current;
  outcome_cell& cell = handle_access::cell(stuck, "a child");
  if (cell.done()) {
    return false;  // That is about to be told.
  }
  if (core_.name_stuck(stuck) != on_stuck::leave_to_root) {
    cell.cancel_overriding(reason);
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (cell.done()) {
    return false;
  }
  child.current = {};
  child.starting = nullptr;
  --running_;
  core_.leave_one_behind();
  return true;
}

void overseer::drop(specified_child& child) noexcept {
  forget_next_start(child);
  child_ref dropped;
  const std::lock_guard lock(mutex_);
  by_id_.erase(by_id_.find(child.terms.id));
  dropped = std::move(*child.place);
  children_.erase(child.place);
}

}  // namespace coppice::inline v0::detail
