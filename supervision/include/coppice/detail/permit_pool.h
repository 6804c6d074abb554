// Permits, and those who wait for some.
//
// One word: how many permits are there, and whether they are awaited. While they are, whoever gives, takes or leaves
// does so under the lock, and permits go to whoever has waited longest, once there are enough for it; nobody overtakes.
// While nobody waits no lock is taken.
//
// Orderings
//   PP1  Who gives permits releases what it has done; who takes them, or hands them over, acquires that.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/waiting_place.h>

#include <cstddef>
#include <mutex>

namespace coppice::inline v0::detail {

// What a semaphore is made of, and a mutex, which has one permit.
class COPPICE_EXPORT permit_pool {
 public:
  static constexpr std::size_t most = static_cast<std::size_t>(-1) / 2;

  // `what`: as waiting_place. At most `most` permits.
  permit_pool(const char* what, std::size_t permits) noexcept
      : place_(what), word_(permits * one) {}

  // All for any thread. Terminates with a sentence if there are more permits than `most`.
  bool try_take(std::size_t n) noexcept {
    std::size_t word = word_.load(std::memory_order_relaxed);
    while ((word & awaited) == 0 && word / one >= n) {
      if (word_.compare_exchange_weak(word, word - n * one, std::memory_order_acquire,  // PP1
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  void give(std::size_t n) noexcept {
    std::size_t word = word_.load(std::memory_order_relaxed);
    while ((word & awaited) == 0 && n <= most - word / one) {
      if (word_.compare_exchange_weak(word, word + n * one, std::memory_order_release,  // PP1
                                      std::memory_order_relaxed)) {
        return;
      }
    }
    give_in_turn(n);
  }

  std::size_t available() const noexcept { return word_.load(std::memory_order_relaxed) / one; }

  // What the source (wait.h) of a wait for permits is made of; it has to add its name, and what it makes of them.
  class COPPICE_EXPORT taker : waiter {
   public:
    taker(permit_pool& from, std::size_t n) noexcept : from_(from), n_(n) {}

    bool ready() noexcept { return n_ == 0 || from_.try_take(n_); }
    void arm(const ticket& wait, worker_core& here) noexcept;
    void disarm() noexcept;
    using waiter::served;

   protected:
    permit_pool& from() const noexcept { return from_; }
    std::size_t count() const noexcept { return n_; }

   private:
    friend class permit_pool;

    permit_pool& from_;
    const std::size_t n_;
  };

 private:
  static constexpr std::size_t awaited = 1;
  static constexpr std::size_t one = 2;

  void give_in_turn(std::size_t n) noexcept;
  void serve_line(std::unique_lock<std::mutex> lock) noexcept;

  waiting_place place_;
  atomic<std::size_t> word_;  // While awaited, under the lock.
};

}  // namespace coppice::inline v0::detail
