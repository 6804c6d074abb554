// The smallest cancel node, and a way to run one task under it: the seam that scopes build on, without
// a tree of them.
#pragma once

#include "executor/executor_state.h"

#include <coppice/detail/reason_block.h>
#include <coppice/executor.h>

#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <mutex>
#include <utility>

namespace coppice::testing_support {

// Declared after its executor, and so destroyed first: it then waits for the end of a cancel.
class stub_node final : public detail::branch_node, detail::job {
 public:
  explicit stub_node(executor& home) : home_(*home.state().core) {
    run = [](detail::job& self, detail::worker_core& here) noexcept {
      static_cast<stub_node&>(self).deliver(here);
    };
  }

  ~stub_node() {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !requested() || delivered_; });
    }
    close(nullptr);
  }

  // Any thread, once.
  void cancel() noexcept {
    state_.request();
    home_.bump_epoch();
    home_.post(*this);
    home_.bump_epoch();
  }

  // It says that it has ended; closing is its destructor's.
  void end() noexcept { ended_.store(true, std::memory_order_seq_cst); }  // N2
  bool ended() const noexcept override {
    return ended_.load(std::memory_order_seq_cst);  // N2
  }

  // How often it was asked to look again, how many waits it has seen begin, and how many it has now.
  int polls() const noexcept { return polls_.load(); }
  int enrolled() const noexcept { return read(enrolled_); }
  int waiting() const noexcept { return read(waiting_); }

  // Blocks until so many waits have begun.
  void await_enrolled(int count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return enrolled_ >= count; });
  }

  detail::slot& enroll(detail::worker_core& here, const char* what) override {
    detail::slot& taken = detail::branch_node::enroll(here, what);
    const std::lock_guard lock(mutex_);
    ++waiting_;
    ++enrolled_;
    changed_.notify_all();
    return taken;
  }

  void withdraw(detail::slot& over, detail::worker_core& here) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      --waiting_;
    }
    detail::branch_node::withdraw(over, here);
  }

 private:
  int read(const int& guarded) const noexcept {
    const std::lock_guard lock(mutex_);
    return guarded;
  }

  const detail::reason_block* known_reason() const noexcept override {
    return requested() ? detail::reason_block::immortal(cancel_kind::requested) : nullptr;
  }

  bool poll(detail::epoch now) noexcept override {
    polls_.fetch_add(1);
    return detail::branch_node::poll(now);
  }

  void deliver(detail::worker_core& here) noexcept {
    walk_below(here);
    const std::lock_guard lock(mutex_);
    delivered_ = true;
    changed_.notify_all();
  }

  detail::executor_core& home_;
  detail::atomic<int> polls_{0};
  detail::atomic<bool> ended_{false};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  int waiting_ = 0;  // Under the lock, and all below.
  int enrolled_ = 0;
  bool delivered_ = false;
};

enum class ending { none, value, failure, stopped };

// Runs a task under a node, as its receiver, and tells how it ended.
template <class T = void>
class stub_task final : detail::job, detail::receiver {
 public:
  stub_task(executor& on, detail::cancel_node& node, task<T> body)
      : node_(node), body_(std::move(body)) {
    result_.reset();
    run = [](detail::job& self, detail::worker_core& here) noexcept {
      static_cast<stub_task&>(self).start(here);
    };
    on.post(*this);
  }

  ~stub_task() {
    wait();
    result_.clear();
  }

  // Blocks until it has ended.
  ending wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return ending_ != ending::none; });
    return ending_;
  }

  // Once. Throws the failure.
  T get() {
    if (wait() == ending::failure) {
      std::rethrow_exception(result_.take_failure());
    }
    return result_.take_value();
  }

 private:
  void start(detail::worker_core& here) noexcept {
    detail::promise<T>& started = detail::task_access::release(body_);
    here.scope = &node_;
    started.continue_with(*this, &node_, result_.place_of_value());
    started.handle().resume();
  }

  std::coroutine_handle<> end(ending how) noexcept {
    const std::lock_guard lock(mutex_);
    ending_ = how;
    ended_.notify_all();
    return std::noop_coroutine();
  }

  std::coroutine_handle<> completed(detail::worker_core&) noexcept override {
    return end(result_.failed() ? ending::failure : ending::value);
  }

  std::coroutine_handle<> stopped(detail::worker_core&) noexcept override {
    return end(ending::stopped);
  }

  detail::cancel_node& node_;
  task<T> body_;
  detail::result_slot<T> result_;
  std::mutex mutex_;
  std::condition_variable ended_;
  ending ending_ = ending::none;
};

}  // namespace coppice::testing_support
