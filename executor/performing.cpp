// Ending an operation that a task performs, and asking it to end.
#include <coppice/detail/performing.h>

#include "executor/executor_core.h"

#include <coppice/awaiter.h>
#include <coppice/error.h>

#include <string>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

// The failure of an operation that broke the contract; without memory, that.
std::exception_ptr misuse(const char* what, const source_site& site) noexcept {
  try {
    std::string text = what;
    if (*site.file != '\0') {
      text += " (awaited at ";
      text += site.file;
      text += ':' + std::to_string(site.line) + ')';
    }
    return std::make_exception_ptr(usage_error(text));
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

// Everything needed is read before `ended` is set.
void completion_state::let_go_on(std::uint32_t how) noexcept {
  suspension& waiter = waiter_;
  const ticket wait = wait_;
  const std::uint32_t before = phase_.fetch_or(how, std::memory_order_acq_rel);  // O1 O2
  if ((before & left) != 0 || wait.claim() == claim_result::won) {
    waiter.resume();
  }
}

void completion_state::end_failed(std::exception_ptr error) noexcept {
  result().fail(error != nullptr
                    ? std::move(error)
                    : misuse("completion::fail() was given a null exception_ptr", site_));
  end();
}

void completion_state::end_stopped(bool as_asked) noexcept {
  if (as_asked) {
    let_go_on(ended | withdrawn);
  } else {
    end_failed(misuse(
        "completion::stopped() without cancel(): an operation may only be withdrawn when the task "
        "is asked to stop; give it a value, or fail() it",
        site_));
  }
}

void completion_state::last_completion_dropped() noexcept {
  if (begin_call() != call::late) {
    end_failed(misuse(
        "every copy of a completion was dropped without a call, so that the operation could never "
        "end: call complete(), fail() or stopped() on one of them",
        site_));
  }
  drop();
}

void completion_state::drop_ended() noexcept {
  clear_result();
  drop();
}

void completion_state::drop_abandoned() noexcept {
  static_cast<void>(begin_call());
  drop();
}

void completion_state::drop() noexcept {
  if (owners_.drop()) {
    delete this;
  }
}

void operation_wait::begin(promise_base& task, worker_core& here, const char* what) {
  run = &operation_wait::go_on;
  task_ = &task;
  suspension::begin(*this, task.scope(), here.home, &operation_wait::stop);
  at = &task.scope()->enroll(here, here.label_of_wait(what));
  generation_ = at->arm(*this);
  here.home.begin_outside();
}

void operation_wait::give_up() noexcept {
  if (state_ != nullptr) {
    std::exchange(state_, nullptr)->drop_abandoned();
  }
  withdraw();
}

std::coroutine_handle<> operation_wait::suspend(worker_core& here, epoch seen) noexcept {
  if (here.wait_label != nullptr) {
    task_->scope()->describe(here.label_of_wait(nullptr));  // start() has described it.
  }
  promise_base& task = *task_;
  switch (publish(here, *at, generation_, seen)) {
    case end_of_suspending::asleep:
      return std::noop_coroutine();
    case end_of_suspending::over:
      return here.go_on(task);
    case end_of_suspending::stopped:
      break;
  }
  return stop(*this, here);
}

// The frame stays: the operation is in use until its completing call.
std::coroutine_handle<> operation_wait::stop(suspension& self, worker_core& here) noexcept {
  auto& wait = static_cast<operation_wait&>(self);
  if (wait.cancel_ != nullptr && wait.state().ask()) {
    cancel_node* const scope = std::exchange(here.scope, wait.task_->scope());
    wait.cancel_(wait);
    here.scope = scope;
  }
  if (wait.state().leave()) {
    here.post(wait);
  }
  return std::noop_coroutine();
}

void operation_wait::go_on(job& self, worker_core& here) noexcept {
  auto& wait = static_cast<operation_wait&>(self);
  promise_base& task = *wait.task_;
  here.scope = task.scope();
  if (wait.state().stopped()) {
    here.stopping = &task;
  } else {
    task.handle().resume();
  }
}

void operation_wait::withdraw() noexcept {
  if (at != nullptr) {
    worker_core& here = *this_worker();
    task_->scope()->withdraw(*std::exchange(at, nullptr), here);
    here.home.end_outside();
  }
}

void operation_wait::end() noexcept {
  withdraw();
  if (state_ != nullptr) {
    std::exchange(state_, nullptr)->drop_ended();
  }
}

// Nobody stops it but through the wait that it is a part of.
void performed_part::begin(completion_state& made, cancel_node* scope, worker_core& here) noexcept {
  state_ = &made;
  scope_ = scope;
  suspension::begin(*this, nullptr, here.home, nullptr);
  here.home.begin_outside();
}

bool performed_part::withdraw(worker_core& here) noexcept {
  if (cancel_ != nullptr && state_->ask()) {
    cancel_node* const scope = std::exchange(here.scope, scope_);
    cancel_(*this);
    here.scope = scope;
  }
  return state_->leave();
}

void performed_part::end() noexcept {
  if (state_ != nullptr) {
    std::exchange(state_, nullptr)->drop_ended();
    this_worker()->home.end_outside();
  }
}

}  // namespace coppice::inline v0::detail

namespace coppice::inline v0 {

void describe_wait(const char* what) noexcept {
  if (detail::worker_core* const here = detail::this_worker()) {
    here->wait_label = what;
  }
}

}  // namespace coppice::inline v0
