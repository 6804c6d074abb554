// Handles, and what the running task says of itself.
#include <coppice/task_handle.h>

#include "executor/executor_core.h"

#include <coppice/error.h>

#include <string>

namespace coppice::inline v0 {

namespace {

detail::outcome_cell* current_cell() noexcept {
  const detail::worker_core* const here = detail::current_worker;  // Nothing suspends in here.
  return here != nullptr && here->scope != nullptr ? here->scope->task() : nullptr;
}

detail::outcome_cell& required_cell(const char* call) {
  detail::outcome_cell* const cell = current_cell();
  if (cell == nullptr) {
    throw usage_error(std::string(call) + " outside a task: there is no running one to speak of");
  }
  return *cell;
}

}  // namespace

detail::outcome_cell& task_ref::cell(const char* call) const {
  if (cell_.get() == nullptr) {
    throw usage_error(std::string(call) +
                      " of an empty handle: it was default-constructed or moved from");
  }
  return *cell_.get();
}

task_id task_ref::id() const {
  return cell("id()").id();
}
std::string_view task_ref::name() const {
  return cell("name()").name();
}
source_site task_ref::site() const {
  return cell("site()").site();
}
task_status task_ref::status() const {
  return cell("status()").status();
}
bool task_ref::done() const {
  return cell("done()").done();
}
void task_ref::cancel(const cancel_reason& reason) const {
  cell("cancel()").cancel(reason);
}
cancel_token task_ref::token() const {
  return cell("token()").token();
}
void task_ref::on_done(std::function<void()> fn) const {
  cell("on_done()").on_done(std::move(fn));
}

namespace this_task {

task_id id() noexcept {
  return detail::current_task_id();
}
std::string_view name() {
  return required_cell("this_task::name()").name();
}

task_ref ref() {
  detail::outcome_cell& cell = required_cell("this_task::ref()");
  cell.add_reference();
  return detail::handle_access::make(detail::cell_ref(&cell));
}

task_id parent() {
  return required_cell("this_task::parent()").parent();
}
cancel_token token() {
  const detail::outcome_cell& cell = required_cell("this_task::token()");
  detail::cancel_node* each = detail::this_worker()->scope;
  while (each->tokens() == nullptr) {
    each = each->parent();
  }
  return each->tokens()->make(*each, cell.home());
}
void rename(std::string_view name) {
  required_cell("this_task::rename()").rename(name);
}

}  // namespace this_task

// Not inlined into a coroutine, which might keep where the worker's address lies.
[[gnu::noinline]] bool cancel_requested() noexcept {
  detail::worker_core* const here = detail::current_worker;
  if (here == nullptr || here->scope == nullptr) {
    return false;
  }
  if (--here->polls_until_look == 0) [[unlikely]] {
    here->look_at_time();
  }
  return here->scope->cancelled_at(here->now());
}

namespace detail {

task_id current_task_id() noexcept {
  const outcome_cell* const cell = current_cell();
  return cell != nullptr ? cell->id() : task_id::none;
}

void end_source::arm(const ticket& wait, worker_core&) {
  waiter_.wait = wait;
  if (!handle_access::cell(of_, "co_await").add_waiter(waiter_)) {
    // It has ended meanwhile; the waiter is arming, and sees it fired.
    static_cast<void>(wait.claim());
  }
}

void end_source::disarm() noexcept {
  handle_access::cell(of_, "co_await").remove_waiter(waiter_);
}

void throw_task_cancelled(const outcome_cell& cell, const cancel_reason& reason) {
  throw task_cancelled(reason, cell.id());
}

void throw_value_taken(const outcome_cell& cell) {
  throw usage_error(
      "co_await std::move(handle) of task " +
      std::to_string(static_cast<std::uint64_t>(cell.id())) +
      ", whose value has been moved out before; co_await handle gives a reference, any number of "
      "times");
}

}  // namespace detail
}  // namespace coppice::inline v0
