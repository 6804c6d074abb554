// The runtime: an executor whose tasks are shut down in order.
#include "supervision/runtime_state.h"
#include "supervision/task_list.h"

#include <coppice/error.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

namespace coppice::inline v0 {

namespace detail {

// Handles may outlive the runtime.
void runtime_state::root_scope::cancel(const cancel_reason& reason) noexcept {
  const executor_pin there(home());
  if (there.get() != nullptr) {
    of_.beneath.cancel_all(reason);
  }
}

void runtime_state::root_scope::request_shutdown() noexcept {
  const executor_pin there(home());
  if (there.get() != nullptr) {
    of_.request_shutdown();
  }
}

runtime_state::runtime_state(const options& from, const test_setup* setup)
    : beneath(from, setup), root(new root_scope(*this)) {
  beneath.set_root_scope(root.get());
  request.state = this;
  request.run = [](job& self, worker_core&) noexcept {
    executor& tasks = static_cast<request_job&>(self).state->beneath;
    tasks.close();
    tasks.cancel_all(reason_access::immortal(cancel_kind::shutdown));
  };
  const bool asked_for = from.cancel_watchdog || options::from_env().cancel_watchdog;
  watch.watch(beneath, setup != nullptr && setup->virtual_time, asked_for);
}

runtime_state::~runtime_state() {
  watch.stop();
}

void runtime_state::begin_main() {
  std::unique_lock lock(mutex_);
  emptied_.wait(lock, [this] { return !emptying_; });
  ++mains_;
}

void runtime_state::end_main() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (--mains_ != 0) {
      return;
    }
    emptying_ = true;
  }
  cancel_and_wait();
  const std::lock_guard lock(mutex_);
  emptying_ = false;
  emptied_.notify_all();
}

// Those that do not end are named once, and waited for: a live frame is never freed.
void runtime_state::cancel_and_wait() noexcept {
  beneath.cancel_from_now(reason_access::immortal(cancel_kind::shutdown));
  if (!beneath.wait_until_idle(*beneath.effective_options().shutdown_timeout)) {
    print_stuck(beneath);
    beneath.wait_until_idle();
  }
  beneath.cancel_no_more();
}

// Tasks, and the calls of spawn_blocking that some of them have left.
bool runtime_state::wait_for_all(duration limit) const {
  const time_point began = beneath.time_now();
  if (!beneath.wait_until_idle(limit)) {
    return false;
  }
  const duration spent = limit == forever ? duration::zero() : beneath.time_now() - began;
  return wait_for_blocking_calls(beneath, limit - spent);
}

shutdown_report runtime_state::shutdown(const shutdown_options& how) {
  const std::lock_guard lock(shutdown_mutex_);
  shutdown_report report;
  beneath.close();
  const task_counts before = beneath.counts();
  beneath.wait_until_idle(how.drain.value_or(duration::zero()));
  const task_counts drained = beneath.counts();
  beneath.cancel_from_now(reason_access::immortal(cancel_kind::shutdown));
  if (!wait_for_all(how.grace.value_or(*beneath.effective_options().shutdown_timeout))) {
    report.stuck = stuck_tasks(beneath);
    switch (how.stuck.value_or(on_stuck::wait)) {
      case on_stuck::leave_to_root:
        break;
      case on_stuck::terminate:
        print_stuck(beneath);
        std::terminate();
      case on_stuck::wait:
        print_stuck(beneath);
        wait_for_all(forever);
    }
  }
  const task_counts after = beneath.counts();
  report.finished = drained.completed - before.completed;
  report.cancelled = after.cancelled - before.cancelled;
  report.failed = after.failed - before.failed;
  return report;
}

void runtime_state::request_shutdown() noexcept {
  if (!requested.exchange(true, std::memory_order_relaxed)) {
    beneath.post(request);
  }
}

// What a fork() has left of the parent's stays as it is: see executor_state_deleter.
void runtime_state_deleter::operator()(runtime_state* state) const noexcept {
  if (!state->beneath.forked()) {
    delete state;
  }
}

}  // namespace detail

runtime::runtime(const options& from, const detail::test_setup* setup, int major, int minor,
                 int patch) {
  detail::require_version(major, minor, patch);
  state_.reset(new detail::runtime_state(from, setup));
}

runtime::~runtime() {
  if (!state_->beneath.forked() && !state_->beneath.on_own_worker()) {
    state_->shutdown({});
  }
}

executor& runtime::beneath() const noexcept {
  return state_->beneath;
}

std::vector<task_info> runtime::all_tasks() const {
  return detail::tasks_of(state_->beneath);
}

void runtime::dump_tasks(std::ostream& out, dump_format format) const {
  detail::print_dump(out, state_->beneath, format);
}

error_handler runtime::set_error_handler(error_handler handler) {
  return state_->beneath.set_error_handler(std::move(handler));
}

shutdown_report runtime::shutdown(const shutdown_options& options) {
  if (detail::this_worker() != nullptr) {
    throw usage_error(
        "shutdown() on a worker: it would wait for the task that calls it; use "
        "request_shutdown(), or call it from a plain thread");
  }
  if (state_->beneath.forked()) {
    throw usage_error(
        "shutdown() in the child of a fork(): its tasks and workers stayed in the parent");
  }
  return state_->shutdown(options);
}

void runtime::request_shutdown() noexcept {
  state_->request_shutdown();
}
unsigned runtime::workers() const noexcept {
  return state_->beneath.workers();
}

const coppice::options& runtime::effective_options() const noexcept {
  return state_->beneath.effective_options();
}

detail::task_keeper& runtime::task_keeper_of() const {
  return detail::spawn_access::keeper(state_->beneath);
}

runtime::main_call::main_call(const runtime& on)
    : state_(*on.state_), counted_(detail::this_worker() == nullptr && !state_.beneath.forked()) {
  if (counted_) {
    state_.begin_main();
  }
}

runtime::main_call::~main_call() {
  if (counted_) {
    state_.end_main();
  }
}

namespace detail {

int exit_status_of_failure() noexcept {
  try {
    throw;
  } catch (const task_cancelled& stopped) {
    std::fprintf(stderr, "coppice: %s\n", stopped.what());
    return 130;
  } catch (...) {
    default_error_handler({error_origin::child, error_entry(std::current_exception()), {}, {}});
    return 1;
  }
}

}  // namespace detail
}  // namespace coppice::inline v0
