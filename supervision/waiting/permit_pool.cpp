#include <coppice/detail/permit_pool.h>

#include <cstdio>
#include <exception>
#include <utility>

namespace coppice::inline v0::detail {

void permit_pool::give_in_turn(std::size_t n) noexcept {
  std::unique_lock lock(place_.mutex);
  if (n > most || word_.fetch_add(n * one, std::memory_order_acq_rel) / one > most - n) {  // PP1
    std::fputs(
        "coppice: a semaphore is given more permits than can be counted; was a negative number "
        "passed to release()?\n",
        stderr);
    std::terminate();
  }
  serve_line(std::move(lock));
}

// One that is about to leave, but is still there, may hold up others: until it leaves, and comes here itself.
void permit_pool::serve_line(std::unique_lock<std::mutex> lock) noexcept {
  place_.serve_all(std::move(lock), [this](woken_list& woken) noexcept {
    auto* const next = static_cast<taker*>(place_.waiters.first());
    if (next == nullptr) {
      word_.fetch_and(~awaited, std::memory_order_relaxed);
      return false;
    }
    const std::size_t n = next->n_;
    if (word_.load(std::memory_order_acquire) / one < n) {  // PP1
      return false;
    }
    next->serve(woken, [&]() noexcept { word_.fetch_sub(n * one, std::memory_order_relaxed); });
    return true;
  });
}

void permit_pool::taker::arm(const ticket& wait, worker_core& here) noexcept {
  std::unique_lock lock(from_.place_.mutex);
  std::size_t word = from_.word_.load(std::memory_order_relaxed);
  while ((word & awaited) == 0) {
    if (word / one >= n_) {
      if (from_.word_.compare_exchange_weak(word, word - n_ * one,
                                            std::memory_order_acquire,  // PP1
                                            std::memory_order_relaxed)) {
        lock.unlock();
        if (!serve_itself(wait)) {
          from_.give(n_);
        }
        return;
      }
    } else if (from_.word_.compare_exchange_weak(word, word | awaited, std::memory_order_relaxed,
                                                 std::memory_order_relaxed)) {
      break;
    }
  }
  from_.place_.waiters.add(*this, wait, here);
}

void permit_pool::taker::disarm() noexcept {
  if (auto lock = leave(from_.place_.mutex)) {
    from_.serve_line(std::move(lock));
  }
}

}  // namespace coppice::inline v0::detail
