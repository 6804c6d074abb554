// The executor's public face.
#include <coppice/executor.h>

#include "executor/executor_state.h"

#include <coppice/error.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace coppice::inline v0 {

executor::executor(const options& from) : executor(from, nullptr) {}

executor::executor(const options& from, const detail::test_setup* setup)
    : state_(new detail::executor_state(*this, from, setup)) {}

executor::~executor() {
  if (on_own_worker()) {
    std::fputs(
        "coppice: a runtime is destroyed by one of its own tasks, which would have to wait for "
        "itself. Destroy it from the thread that made it, or from a thread outside it.\n",
        stderr);
    std::abort();
  }
}

std::vector<task_ref> executor::live_tasks() const {
  return state_->live_tasks();
}
std::size_t executor::live_task_count() const noexcept {
  return state_->live_task_count();
}
void executor::close() noexcept {
  state_->close();
}
void executor::cancel_all(const cancel_reason& reason) noexcept {
  state_->cancel_all(reason);
}

void executor::cancel_from_now(const cancel_reason& reason) noexcept {
  state_->cancel_from_now(reason);
}

void executor::cancel_no_more() noexcept {
  state_->cancel_no_more();
}
task_counts executor::counts() const noexcept {
  return state_->counts();
}
time_point executor::time_now() const noexcept {
  return state_->time.now();
}
bool executor::forked() const noexcept {
  return state_->forked();
}
void executor::post(detail::job& ready) noexcept {
  state_->core->post_from_outside(ready);
}

detail::cancel_node& executor::root() const noexcept {
  return state_->root;
}
void executor::set_root_scope(detail::scope_core* scope) noexcept {
  state_->root.face = scope;
}
detail::task_keeper& executor::root_keeper() const noexcept {
  return state_->spawned;
}
detail::executor_ref executor::ref() const noexcept {
  return state_->core->ref();
}

void executor::observe_cancels(detail::cancel_observer& observer) noexcept {
  state_->core->observer.store(&observer, std::memory_order_release);  // X5
}

bool executor::on_own_worker() const noexcept {
  const detail::worker_core* const here = detail::this_worker();
  return here != nullptr && &here->home == state_->core.get();
}

bool executor::wait_until_idle(duration limit) const {
  return state_->wait_until_idle(limit);
}

error_handler executor::set_error_handler(error_handler handler) {
  return state_->set_error_handler(std::move(handler));
}

unsigned executor::workers() const noexcept {
  return static_cast<unsigned>(state_->core->workers.size());
}

std::optional<std::uint64_t> executor::seed() const noexcept {
  return state_->core->settings.seed;
}

const options& executor::effective_options() const noexcept {
  return state_->resolved.effective;
}

detail::task_keeper& executor::task_keeper_of() const {
  state_->require_same_process("spawn");
  return state_->spawned;
}

detail::task_keeper& executor::main_keeper() const {
  if (detail::this_worker() != nullptr) {
    throw usage_error(
        "block_on on a worker: it would block the thread that is to run the task; co_await the "
        "task instead");
  }
  state_->require_same_process("block_on");
  return state_->mains;
}

void executor::wait_for_end(const task_ref& main) const {
  state_->wait_for_end(main);
  if (std::exception_ptr fatal = state_->take_fatal()) {
    std::rethrow_exception(std::move(fatal));
  }
}

namespace detail {

void schedule_operation::require_same() const {
  if (&current_worker->home != to_.core.get()) {
    throw usage_error(
        "schedule() on another executor: a task stays with its own; spawn a task there instead");
  }
}

std::coroutine_handle<> schedule_operation::post(std::coroutine_handle<> foreign) noexcept {
  foreign_ = foreign;
  run = [](job& self, worker_core& here) noexcept {
    here.scope = nullptr;
    static_cast<schedule_operation&>(self).foreign_.resume();
  };
  to_.core->post(*this);
  return std::noop_coroutine();
}

task_keeper& current_root() {
  return current_executor("spawn()").state().core->root;
}

executor& current_executor(const char* call) {
  if (current_task_id() == task_id::none) {
    throw usage_error(std::string(call) +
                      " outside a task: there is no current runtime; use the member of runtime");
  }
  return this_worker()->home.owner.face;
}

executor& executor_of(const worker_core& here) noexcept {
  return here.home.owner.face;
}

time_point time_in(duration d) noexcept {
  return time_after(now(), std::max(d, duration::zero()));
}

time_point later_by(duration d) noexcept {
  return d <= duration::zero() ? time_point::min() : time_after(now(), d);
}

}  // namespace detail

error_handler set_error_handler(error_handler handler) {
  return detail::current_executor("set_error_handler()").set_error_handler(std::move(handler));
}

time_point now() noexcept {
  detail::worker_core* const here = detail::this_worker();
  if (here == nullptr) {
    return std::chrono::time_point_cast<duration>(clock::now());
  }
  here->loop_time = here->time_now();
  return here->loop_time;
}

}  // namespace coppice::inline v0
