// How a scope ends for its host.
#include <coppice/detail/scope_run.h>

namespace coppice::inline v0::detail {

void scope_run::open(promise_base& host, core_ref core) noexcept {
  host_ = &host;
  core_ = std::move(core);
  core_->join_by(*this);
  run = [](job& self, worker_core& here) noexcept {
    static_cast<scope_run&>(static_cast<scope_joiner&>(self)).finish(here).resume();
  };
}

std::coroutine_handle<> scope_run::run_body(promise_base* body, void* place,
                                            worker_core& here) noexcept {
  if (body == nullptr) {
    return completed(here);
  }
  body->continue_with(*this, &core_->node(), place);
  here.scope = &core_->node();
  return here.stack_left() ? body->handle() : here.resume_from_loop(body->handle());
}

std::coroutine_handle<> scope_run::completed(worker_core& here) noexcept {
  if (body_result().failed()) {
    body_failed();
  }
  return core_->leave_body() ? finish(here) : std::noop_coroutine();
}

// Perhaps within a walk: what goes on behind the scope is posted.
std::coroutine_handle<> scope_run::stopped(worker_core& here) noexcept {
  stopped_ = true;
  if (core_->leave_body()) {
    here.post_next(*this);
  }
  return std::noop_coroutine();
}

// The host of a scope whose body stopped has no value to go on with, unless the stop was the scope's alone.
std::coroutine_handle<> scope_run::finish(worker_core& here) noexcept {
  const bool failure = failed();
  const bool own = core_->requested();
  if (!core_->left()) {
    core_->leaving();
    core_->close(here);
  }
  here.scope = host_->scope();
  if (stopped_ && !failure && !(own && !host_->scope()->cancelled_at(here.now()))) {
    return here.stop_from_loop(*host_);
  }
  return host_->handle();
}

std::exception_ptr scope_run::take_failure() noexcept {
  std::exception_ptr error = body_result().take_failure();
  outcome_cell* const task = host_->scope()->task();
  if (task != nullptr && core_->requested()) {
    task->remember(
        make_entry(error, task->id(), task->name(), task->site(), core_->reason(), {}, {}));
  }
  return error;
}

}  // namespace coppice::inline v0::detail
