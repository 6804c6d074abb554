// How threads find calls, and calls threads.
#include "executor/blocking_pool.h"

#include "executor/time_source.h"

#include <system_error>
#include <utility>

namespace coppice::inline v0::detail {

void blocking_pool::submit(blocking_call& call) {
  const std::lock_guard lock(mutex_);
  if (idle_ != nullptr) {
    idle_thread& woken = *idle_;
    remove_idle(woken);
    woken.was_called = true;
    woken.called.notify_one();
  } else if (threads_ < most_threads_) {
    const int error = start_thread();
    if (error != 0 && threads_ == 0) {
      throw std::system_error(error, std::generic_category(),
                              "coppice: no thread could be started for spawn_blocking");
    }
  }
  call.stage_ = blocking_call::stage::queued;
  queued_.append(call);
}

blocking_pool::withdrawal blocking_pool::withdraw(blocking_call& call) noexcept {
  const std::lock_guard lock(mutex_);
  if (call.stage_ == blocking_call::stage::queued) {
    queued_.remove(call);
    begun_.append(call);
    call.stage_ = blocking_call::stage::left;
    return withdrawal::unbegun;
  }
  if (call.stage_ == blocking_call::stage::running && call.may_be_left_) {
    call.stage_ = blocking_call::stage::left;
    return withdrawal::left;
  }
  return withdrawal::refused;
}

bool blocking_pool::take_result(blocking_call& call) noexcept {
  const std::lock_guard lock(mutex_);
  if (call.stage_ == blocking_call::stage::left) {
    return false;
  }
  call.stage_ = blocking_call::stage::returned;
  return true;
}

void blocking_pool::forget(blocking_call& call) noexcept {
  const std::lock_guard lock(mutex_);
  begun_.remove(call);
  if (none()) {
    changed_.notify_all();
  }
}

std::vector<blocking_call_info> blocking_pool::calls() const {
  std::vector<blocking_call_info> all;
  const std::lock_guard lock(mutex_);
  for (const call_list* list : {&begun_, &queued_}) {
    for (const blocking_call* each = list->first(); each != nullptr; each = each->later_) {
      all.push_back({.task = each->task_,
                     .name = each->name_,
                     .site = each->site_,
                     .begun = each->stage_ != blocking_call::stage::queued,
                     .left = each->stage_ == blocking_call::stage::left,
                     .since = each->since_.load(std::memory_order_relaxed)});
    }
  }
  return all;
}

bool blocking_pool::empty() const noexcept {
  const std::lock_guard lock(mutex_);
  return none();
}

bool blocking_pool::wait_until_empty(duration limit) const {
  std::unique_lock lock(mutex_);
  const auto is_empty = [this] { return none(); };
  const time_point until = time_after(clock::now(), limit);
  if (until == time_point::max()) {
    changed_.wait(lock, is_empty);
    return true;
  }
  return changed_.wait_until(lock, until, is_empty);
}

void blocking_pool::close() noexcept {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return none(); });
  closing_ = true;
  for (idle_thread* each = idle_; each != nullptr; each = each->below) {
    each->called.notify_one();
  }
  changed_.wait(lock, [this] { return threads_ == 0; });
  if (ended_) {
    pthread_join(*std::exchange(ended_, std::nullopt), nullptr);
  }
}

std::size_t blocking_pool::threads() const noexcept {
  const std::lock_guard lock(mutex_);
  return threads_;
}

std::size_t blocking_pool::idle_threads() const noexcept {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const idle_thread* each = idle_; each != nullptr; each = each->below) {
    ++count;
  }
  return count;
}

// Under the lock, so that whoever finds no thread afterwards knows that there will be none.
int blocking_pool::start_thread() noexcept {
  pthread_t started;
  const int error = pthread_create(&started, nullptr, &blocking_pool::run, this);
  threads_ += error == 0 ? 1 : 0;
  return error;
}

// Each thread that ends waits for the one before it, which does nothing more; so in the end one is left to join.
void* blocking_pool::run(void* pool) noexcept {
  auto& of = *static_cast<blocking_pool*>(pool);
  pthread_setname_np(pthread_self(), "coppice/block");
  std::unique_lock lock(of.mutex_);
  of.run_calls(lock);
  const std::optional<pthread_t> before = std::exchange(of.ended_, pthread_self());
  if (--of.threads_ == 0) {
    of.changed_.notify_all();
  }
  lock.unlock();
  if (before) {
    pthread_join(*before, nullptr);
  }
  return nullptr;
}

void blocking_pool::run_calls(std::unique_lock<std::mutex>& lock) noexcept {
  for (;;) {
    if (blocking_call* const next = queued_.first()) {
      queued_.remove(*next);
      begun_.append(*next);
      next->stage_ = blocking_call::stage::running;
      lock.unlock();
      next->run_on_thread();
      lock.lock();
    } else if (!rest(lock)) {
      return;
    }
  }
}

// False if the thread shall end.
bool blocking_pool::rest(std::unique_lock<std::mutex>& lock) noexcept {
  if (closing_) {
    return false;
  }
  idle_thread mine;
  push_idle(mine);
  const time_point until = time_after(clock::now(), patience_);
  mine.called.wait_until(lock, until, [&] { return mine.was_called || closing_; });
  if (!mine.was_called) {
    remove_idle(mine);
  }
  return mine.was_called;
}

void blocking_pool::push_idle(idle_thread& mine) noexcept {
  mine.below = idle_;
  if (idle_ != nullptr) {
    idle_->above = &mine;
  }
  idle_ = &mine;
}

void blocking_pool::remove_idle(idle_thread& which) noexcept {
  (which.above != nullptr ? which.above->below : idle_) = which.below;
  if (which.below != nullptr) {
    which.below->above = which.above;
  }
}

void blocking_pool::call_list::append(blocking_call& call) noexcept {
  call.earlier_ = last_;
  call.later_ = nullptr;
  (last_ != nullptr ? last_->later_ : first_) = &call;
  last_ = &call;
}

void blocking_pool::call_list::remove(blocking_call& call) noexcept {
  (call.earlier_ != nullptr ? call.earlier_->later_ : first_) = call.later_;
  (call.later_ != nullptr ? call.later_->earlier_ : last_) = call.earlier_;
}

}  // namespace coppice::inline v0::detail
