#include <coppice/condition.h>

#include <coppice/error.h>

namespace coppice::inline v0::detail {

std::coroutine_handle<> condition_operation::wait(promise_base& task, worker_core& here) {
  const epoch seen = here.now();
  if (task.scope()->cancelled_at(seen)) {
    return here.stop_from_loop(task);
  }
  if (!lock_.owns_lock()) {
    throw usage_error(
        "async_condition::wait() with a lock that is not held: co_await mutex.lock() first");
  }
  run = &condition_operation::notified;
  begin(*this, task.scope(), here.home, &condition_operation::stop);
  task_ = &task;
  slot& mine = task.scope()->enroll(here, here.label_of_wait("async_condition.wait"));
  at = &mine;
  const std::uint64_t generation = mine.arm(*this);
  {
    const std::lock_guard lock(of_.mutex);
    of_.waiters.add(*this, ticket{&mine, generation}, here);
  }
  lock_.unlock();
  switch (publish(here, mine, generation, seen)) {
    case end_of_suspending::asleep:
      return std::noop_coroutine();
    case end_of_suspending::over:
      break;
    case end_of_suspending::stopped:
      stopped_ = true;
      break;
  }
  return relock(here);
}

std::coroutine_handle<> condition_operation::stop(suspension& self, worker_core& here) noexcept {
  auto& wait = static_cast<condition_operation&>(self);
  wait.stopped_ = true;
  return wait.relock(here);
}

void condition_operation::notified(job& self, worker_core& here) noexcept {
  auto& wait = static_cast<condition_operation&>(self);
  here.scope = wait.task_->scope();
  wait.relock(here).resume();
}

// The first wait is over. The second is asked to stop by nobody.
std::coroutine_handle<> condition_operation::relock(worker_core& here) noexcept {
  static_cast<void>(leave(of_.mutex));
  turn_.emplace(lock_.mutex()->pool_, 1);
  if (turn_->ready()) {
    return go_on(here);
  }
  run = &condition_operation::locked;
  begin(*this, nullptr, here.home, nullptr);
  task_->scope()->describe("async_mutex.lock");
  slot& mine = *at;
  mine.rest();
  const std::uint64_t generation = mine.arm(*this);
  turn_->arm(ticket{&mine, generation}, here);
  return publish(here, mine, generation, here.now()) == end_of_suspending::over
             ? go_on(here)
             : std::noop_coroutine();
}

void condition_operation::locked(job& self, worker_core& here) noexcept {
  auto& wait = static_cast<condition_operation&>(self);
  here.scope = wait.task_->scope();
  wait.go_on(here).resume();
}

// The lock is held again.
std::coroutine_handle<> condition_operation::go_on(worker_core& here) noexcept {
  turn_->disarm();
  lock_.owns_ = true;
  return stopped_ ? here.stop_from_loop(*task_) : task_->handle();
}

void condition_operation::end() noexcept {
  if (at != nullptr) {
    task_->scope()->withdraw(*std::exchange(at, nullptr), *this_worker());
  }
}

}  // namespace coppice::inline v0::detail
