// A mutex that may be held across awaits.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/permit_pool.h>
#include <coppice/detail/wait.h>

#include <utility>

namespace coppice::inline v0 {

class async_lock;
class async_mutex;

namespace detail {

class condition_operation;

class lock_source : public permit_pool::taker {
 public:
  using value_type = async_lock;
  static constexpr const char* name = "async_mutex.lock";

  lock_source(async_mutex& of, permit_pool& pool) noexcept : taker(pool, 1), of_(of) {}
  async_lock result() const noexcept;

 private:
  async_mutex& of_;
};

}  // namespace detail

// First come, first served; not recursive: who locks it twice waits for ever, and a dump says so. A stop never loses the
// lock: it either comes before the lock is granted, or the lock is delivered. All but the destructor may be called from
// any thread; no call blocks or allocates. Destroying it while somebody waits or holds the lock terminates with a
// sentence.
class COPPICE_EXPORT async_mutex {
 public:
  async_mutex() noexcept : pool_("an async_mutex", 1) {}
  async_mutex(const async_mutex&) = delete;
  async_mutex& operator=(const async_mutex&) = delete;
  ~async_mutex();

  // Waits until its turn has come. A cancellation point.
  detail::wait_operation<detail::lock_source> lock() noexcept {
    return detail::wait_operation<detail::lock_source>(detail::lock_source(*this, pool_));
  }

  // Empty if it is held.
  async_lock try_lock() noexcept;

 private:
  friend class async_lock;
  friend class detail::condition_operation;

  detail::permit_pool pool_;  // Of one permit.
};

// The lock held; unlocked by the destructor, on whatever thread that runs. What was done while it was held is visible to
// who holds it next.
class [[nodiscard]] async_lock {
 public:
  async_lock() noexcept = default;  // Of no mutex.
  async_lock(async_lock&& other) noexcept
      : mutex_(std::exchange(other.mutex_, nullptr)), owns_(std::exchange(other.owns_, false)) {}
  async_lock& operator=(async_lock&& other) noexcept {
    if (this != &other) {
      unlock();
      mutex_ = std::exchange(other.mutex_, nullptr);
      owns_ = std::exchange(other.owns_, false);
    }
    return *this;
  }
  ~async_lock() { unlock(); }

  bool owns_lock() const noexcept { return owns_; }
  explicit operator bool() const noexcept { return owns_; }

  // Now; if it is not held, of no effect.
  void unlock() noexcept {
    if (std::exchange(owns_, false)) {
      mutex_->pool_.give(1);
    }
  }

  // Whose lock it is, or was when it was unlocked; null if it was moved from, or never was any's.
  async_mutex* mutex() const noexcept { return mutex_; }

 private:
  friend class async_mutex;
  friend class detail::condition_operation;
  friend class detail::lock_source;

  explicit async_lock(async_mutex& held) noexcept : mutex_(&held), owns_(true) {}

  async_mutex* mutex_ = nullptr;
  bool owns_ = false;
};

inline async_lock detail::lock_source::result() const noexcept {
  return async_lock(of_);
}

inline async_lock async_mutex::try_lock() noexcept {
  return pool_.try_take(1) ? async_lock(*this) : async_lock();
}

}  // namespace coppice::inline v0
