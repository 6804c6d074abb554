// One event that one task may wait for, through the protocol of every wait, and what happened to it.
#pragma once

#include <coppice/detail/wait.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

namespace coppice::testing_support {

class stub_event {
 public:
  class source {
   public:
    using value_type = int;
    static constexpr const char* name = "stub_event";

    explicit source(stub_event& event) noexcept : event_(event) {}

    bool ready() {
      const std::lock_guard lock(event_.mutex_);
      return event_.set_;
    }

    void arm(const detail::ticket& wait, detail::worker_core&) {
      if (event_.before_arming) {
        event_.before_arming();
      }
      {
        const std::lock_guard lock(event_.mutex_);
        if (event_.set_) {  // Since ready() was asked.
          static_cast<void>(wait.claim());
        } else {
          event_.wait_ = wait;
        }
      }
      event_.armed.fetch_add(1);
      if (event_.while_arming) {
        event_.while_arming();
      }
    }

    void disarm() noexcept {
      const std::lock_guard lock(event_.mutex_);
      event_.wait_ = {};
      event_.disarmed.fetch_add(1);
    }

    int result() {
      event_.results.fetch_add(1);
      const std::lock_guard lock(event_.mutex_);
      return event_.value_;
    }

   private:
    stub_event& event_;
  };

  // What a task awaits: gives the value.
  detail::wait_operation<source> wait() { return detail::wait_operation<source>(source(*this)); }

  // Any thread, once. Tells who takes it from there; lost if nobody waits.
  detail::claim_result set(int value = 1) {
    const std::lock_guard lock(mutex_);
    set_ = true;
    value_ = value;
    const detail::ticket wait = std::exchange(wait_, {});
    if (!wait) {
      return detail::claim_result::lost;
    }
    const detail::claim_result result = wait.claim();
    if (result == detail::claim_result::won) {
      wait.at->waiter().resume();
    }
    return result;
  }

  // Run on the waiting worker, before the ticket is kept and behind it.
  std::function<void()> before_arming;
  std::function<void()> while_arming;

  std::atomic<int> armed{0};
  std::atomic<int> disarmed{0};
  std::atomic<int> results{0};

 private:
  std::mutex mutex_;
  detail::ticket wait_;  // Under the lock, and all below.
  bool set_ = false;
  int value_ = 0;
};

}  // namespace coppice::testing_support
