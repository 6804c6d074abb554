// A counting semaphore whose permits cannot be lost by a cancel.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/permit_pool.h>
#include <coppice/detail/wait.h>

#include <cstddef>
#include <utility>

namespace coppice::inline v0 {

class async_semaphore;

namespace detail {
class semaphore_source;
}

// Permits held; given back by the destructor, wherever it runs. The semaphore must live until then.
class [[nodiscard]] semaphore_permit {
 public:
  semaphore_permit() noexcept = default;  // Holds none.
  semaphore_permit(semaphore_permit&& other) noexcept
      : of_(other.of_), count_(std::exchange(other.count_, 0)) {}
  semaphore_permit& operator=(semaphore_permit&& other) noexcept {
    if (this != &other) {
      release();
      of_ = other.of_;
      count_ = std::exchange(other.count_, 0);
    }
    return *this;
  }
  ~semaphore_permit() { release(); }

  std::size_t count() const noexcept { return count_; }
  explicit operator bool() const noexcept { return count_ != 0; }

  // Gives them back now.
  void release() noexcept {
    if (const std::size_t held = std::exchange(count_, 0)) {
      of_->give(held);
    }
  }

  // Never: the semaphore is smaller for good.
  void forget() noexcept { count_ = 0; }

 private:
  friend class async_semaphore;
  friend class detail::semaphore_source;

  semaphore_permit(detail::permit_pool& of, std::size_t count) noexcept : of_(&of), count_(count) {}

  detail::permit_pool* of_ = nullptr;
  std::size_t count_ = 0;
};

namespace detail {

class semaphore_source : public permit_pool::taker {
 public:
  using value_type = semaphore_permit;
  static constexpr const char* name = "async_semaphore.acquire";

  using taker::taker;
  semaphore_permit result() const noexcept { return {from(), count()}; }
};

}  // namespace detail

// First come, first served: who asks for many is not overtaken by who asks for few. A stop, or the end of a time limit,
// loses no permit: it either comes before they are granted, or they are delivered. All but the destructor, which
// terminates with a sentence if somebody waits, may be called from any thread; no call blocks or allocates.
class COPPICE_EXPORT async_semaphore {
 public:
  // usage_error for more than can be counted, which is half of what a std::size_t can.
  explicit async_semaphore(std::size_t permits);
  async_semaphore(const async_semaphore&) = delete;
  async_semaphore& operator=(const async_semaphore&) = delete;

  // Waits until n are there and its turn has come. More than were ever there are waited for until release() makes it so;
  // none are there at once. A cancellation point.
  detail::wait_operation<detail::semaphore_source> acquire(std::size_t n = 1) noexcept {
    return detail::wait_operation<detail::semaphore_source>(detail::semaphore_source(pool_, n));
  }

  // Empty if it would have to wait.
  semaphore_permit try_acquire(std::size_t n = 1) noexcept {
    return pool_.try_take(n) ? semaphore_permit(pool_, n) : semaphore_permit();
  }

  // Adds permits, be they new or forgotten ones. What was done before is visible to who is granted them.
  void release(std::size_t n = 1) noexcept { pool_.give(n); }

  // How many are there just now.
  std::size_t available() const noexcept { return pool_.available(); }

 private:
  detail::permit_pool pool_;
};

}  // namespace coppice::inline v0
