// The life of a call of spawn_blocking: queued, on its thread, and how it ends.
#include <coppice/detail/blocking_call.h>

#include "executor/executor_core.h"
#include "executor/executor_state.h"

#include <coppice/cancel.h>
#include <coppice/executor.h>
#include <coppice/outcome.h>

#include <optional>
#include <utility>

namespace coppice::inline v0::detail {

blocking_call::blocking_call(std::string_view name, bool may_be_left, const source_site& site)
    : name_(name), site_(site), may_be_left_(may_be_left) {
  run = [](job& self, worker_core& here) noexcept {
    static_cast<blocking_call&>(self).report_failure(here);
  };
}

blocking_call::~blocking_call() = default;

// One reference is the pool's, until end().
void blocking_call::submit(worker_core& here) {
  here.home.owner.require_same_process("spawn_blocking");
  home_ = &here.home;
  task_ = current_task_id();
  since_.store(home_->time.now(), std::memory_order_relaxed);
  home_->begin_call();
  references_.add();
  try {
    home_->blocking.submit(*this);
  } catch (...) {
    static_cast<void>(references_.drop());
    home_->end_call();
    throw;
  }
}

bool blocking_call::withdraw() noexcept {
  const auto withdrawn = home_->blocking.withdraw(*this);
  if (withdrawn == blocking_pool::withdrawal::unbegun) {
    end();
  }
  return withdrawn != blocking_pool::withdrawal::refused;
}

// Handlers of failures run on workers.
void blocking_call::run_on_thread() noexcept {
  since_.store(home_->time.now(), std::memory_order_relaxed);
  call();
  if (home_->blocking.take_result(*this)) {
    deliver();
  } else if (failure() != nullptr) {
    home_->post(*this);
    return;
  }
  end();
}

void blocking_call::report_failure(worker_core& here) noexcept {
  here.scope = nullptr;
  error_entry entry = make_entry(failure(), task_, name_, site_, std::nullopt, {}, {});
  static_cast<void>(add_note(
      entry, "thrown by a call of spawn_blocking that was left when its task was stopped"));
  report_from(&here.home.owner.root, here, error_origin::never_retrieved, std::move(entry));
  end();
}

// Who waits for the pool to be empty, and may then end the executor, also waits for the thread or worker that runs this.
void blocking_call::end() noexcept {
  executor_core& home = *home_;
  home.blocking.forget(*this);
  home.end_call();
  drop();
}

std::vector<blocking_call_info> blocking_calls(const executor& of) {
  return of.state().core->blocking.calls();
}

bool wait_for_blocking_calls(const executor& of, duration limit) {
  return of.state().wait_for_blocking_calls(limit);
}

}  // namespace coppice::inline v0::detail
