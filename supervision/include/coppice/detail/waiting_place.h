// Where tasks wait: a lock, those who wait, and the end of both.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/waiter_list.h>

#include <cstddef>
#include <mutex>

namespace coppice::inline v0::detail {

// Terminates: what somebody waits at is destroyed. `what` is for the message: "an event".
[[noreturn]] COPPICE_EXPORT void end_of_waiting_place(const char* what) noexcept;

// What a waiting primitive consists of, besides what it counts. All but the destructor is for any thread.
//
// Whoever is let go by a call may destroy the primitive before the call has returned. So what others can see of a call
// it does under the lock, or by one atomic operation behind which it touches nothing; and the destructor takes the lock.
class COPPICE_EXPORT waiting_place {
 public:
  // `what` is static, and for a message: "an event".
  explicit waiting_place(const char* what) noexcept : what_(what) {}
  waiting_place(const waiting_place&) = delete;
  waiting_place& operator=(const waiting_place&) = delete;

  // Terminates with a sentence if somebody waits.
  ~waiting_place();

  const char* what() const noexcept { return what_; }

  std::mutex mutex;
  waiter_list waiters;  // Under the lock.

  // Calls serve_one(woken) under the lock, which it takes over, until that says that there is no more to do; others get
  // their turn in between.
  template <class ServeOne>
  void serve_all(std::unique_lock<std::mutex> lock, ServeOne serve_one) noexcept {
    ++serving_;
    for (bool more = true; more;) {
      woken_list woken;
      for (std::size_t i = 0; more && i != served_at_a_time; ++i) {
        more = serve_one(woken);
      }
      if (!more) {
        --serving_;
      }
      lock.unlock();
      woken.go_on();
      if (more) {
        lock.lock();
      }
    }
  }

  // Everybody who waits now goes on, as by serve_all().
  void release_all(std::unique_lock<std::mutex> lock) noexcept;

 private:
  // So many claims take some 5 us where the frames are not in the cache.
  static constexpr std::size_t served_at_a_time = 64;

  const char* const what_;
  std::size_t serving_ = 0;  // Under the lock: calls that will come back to it.
};

}  // namespace coppice::inline v0::detail
