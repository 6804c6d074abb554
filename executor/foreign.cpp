// Crossing the border to coroutines of other libraries.
#include <coppice/detail/foreign.h>

#include "executor/executor_core.h"

#include <coppice/detail/thrown.h>
#include <coppice/error.h>

#include <utility>

namespace coppice::inline v0::detail {

namespace {

// Stands in for a scope where there is none.
class no_scope_node final : public cancel_node {
 public:
  slot& enroll(worker_core& here, const char*) override { return here.take_slot(); }
  void withdraw(slot& over, worker_core& here) noexcept override {
    over.release();
    here.give_slot(over);
  }
  slot& entry(worker_core& here) override { return here.take_slot(); }
  void leave_entry(slot& entry, worker_core& here) noexcept override { withdraw(entry, here); }
};

// The frame lies in what it refers to.
// NOLINTNEXTLINE(*-reference-coroutine-parameters)
bridge_object crossing(bridge_wait&) {
  co_return;
}

}  // namespace

bridge make_bridge(bridge_wait& to) {
  return crossing(to).handle;
}

void bridge_wait::begin(promise_base& task, worker_core& here) {
  run = &bridge_wait::go_on;
  task_ = &task;
  suspension::begin(*this, nullptr, here.home, nullptr);
  at = &task.scope()->enroll(here, here.label_of_wait("another library's awaitable"));
  static_cast<void>(at->arm(*this));
  here.home.begin_outside();
}

void bridge_wait::withdraw() noexcept {
  if (at != nullptr) {
    worker_core& here = *this_worker();
    task_->scope()->withdraw(*std::exchange(at, nullptr), here);
    here.home.end_outside();
  }
}

void bridge_wait::go_on(job& self, worker_core& here) noexcept {
  auto& wait = static_cast<bridge_wait&>(self);
  promise_base& task = *wait.task_;
  here.scope = task.scope();
  if (wait.how_ == end::stopped && task.scope()->cancelled_at(here.now())) {
    here.stopping = &task;
  } else {
    task.handle().resume();
  }
}

void bridge_wait::require_resumed() const {
  switch (how_) {
    case end::resumed:
      return;
    case end::stopped:
      throw operation_cancelled(reason_access::none());
    case end::destroyed:
      break;
  }
  throw usage_error(
      "another library's awaitable destroyed the coroutine that awaited it, instead of resuming "
      "it");
}

cancel_node& border::no_scope() noexcept {
  static no_scope_node only;
  return only;
}

worker_core& border::required_worker() {
  worker_core* const here = this_worker();
  if (here == nullptr) {
    throw usage_error(
        "co_await of a task in another library's coroutine, on a thread that is no worker: go to "
        "one first, by "
        "co_await runtime.schedule(), or spawn the task");
  }
  return *here;
}

std::coroutine_handle<> border::completed(worker_core& here) noexcept {
  here.scope = scope_;
  return foreign_;
}

std::coroutine_handle<> border::stopped(worker_core& here) noexcept {
  here.scope = scope_;
  if (unhandled_stopped_ != nullptr) {
    return unhandled_stopped_(foreign_.address());
  }
  stopped_by_ = scope_->reason();
  return foreign_;
}

void border::throw_stopped() const {
  throw operation_cancelled(*stopped_by_);
}

bool promise_base::stopped_by(const std::exception_ptr& error) const noexcept {
  return catches(typeid(operation_cancelled), error) && scope_->cancelled_at(this_worker()->now());
}

}  // namespace coppice::inline v0::detail
