// A count that goes down once.
//
// Orderings
//   LA1  Who counts down releases what it has done; who counts down the last acquires it, and opens the gate.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/gate.h>
#include <coppice/detail/wait.h>

#include <cstddef>

namespace coppice::inline v0 {

class async_latch;

namespace detail {

class latch_source : public gate::passer {
 public:
  using passer::passer;
  using part_of_select = gate::part;
  static constexpr const char* name = "async_latch.wait";
};

class latch_arrival : public gate::passer {
 public:
  static constexpr const char* name = "async_latch.arrive_and_wait";

  latch_arrival(async_latch& at, gate& through, std::ptrdiff_t n) noexcept
      : passer(through), at_(at), n_(n) {}

  // No part of a select(): to count down cannot be taken back.
  COPPICE_EXPORT bool ready();

 private:
  async_latch& at_;
  const std::ptrdiff_t n_;
};

}  // namespace detail

// As std::latch, awaited. What was done before a count_down() is visible to who waits. Destroying it while somebody waits
// terminates with a sentence; whoever has seen it at zero may.
class COPPICE_EXPORT async_latch {
 public:
  // usage_error for a negative count.
  explicit async_latch(std::ptrdiff_t count);
  async_latch(const async_latch&) = delete;
  async_latch& operator=(const async_latch&) = delete;

  // Any thread. Below zero, or by less than nothing: usage_error, and nothing is counted.
  void count_down(std::ptrdiff_t n = 1);

  // Any thread: is it at zero?
  bool try_wait() const noexcept { return gate_.is_open(); }

  // Until it is at zero. A cancellation point. Throws std::bad_alloc, as event::wait() does.
  detail::wait_operation<detail::latch_source> wait() noexcept {
    return detail::wait_operation<detail::latch_source>(detail::latch_source(gate_));
  }

  // Both. A cancellation point: a stop on entry counts nothing down; one while it waits does not take the count back, and
  // nor does std::bad_alloc.
  detail::wait_operation<detail::latch_arrival> arrive_and_wait(std::ptrdiff_t n = 1) noexcept {
    return detail::wait_operation<detail::latch_arrival>(detail::latch_arrival(*this, gate_, n));
  }

 private:
  detail::gate gate_;                    // Open at zero, and not before.
  detail::atomic<std::ptrdiff_t> left_;  // Whoever counts down.
};

}  // namespace coppice::inline v0
