#include <coppice/latch.h>

#include <coppice/error.h>

#include <string>

namespace coppice::inline v0 {

async_latch::async_latch(std::ptrdiff_t count) : gate_("an async_latch", count == 0), left_(count) {
  if (count < 0) {
    throw usage_error("async_latch of " + std::to_string(count) + ": a count cannot be negative");
  }
}

// Only the last touches the latch behind its own count.
void async_latch::count_down(std::ptrdiff_t n) {
  std::ptrdiff_t left = left_.load(std::memory_order_relaxed);
  do {
    if (n < 0 || n > left) {
      throw usage_error("async_latch::count_down of " + std::to_string(n) + " where " +
                        std::to_string(left) + " are left: it would go " +
                        (n < 0 ? "up" : "below zero"));
    }
    if (n == 0) {
      return;
    }
  } while (!left_.compare_exchange_weak(left, left - n, std::memory_order_acq_rel,  // LA1
                                        std::memory_order_relaxed));
  if (left == n) {
    gate_.open();
  }
}

bool detail::latch_arrival::ready() {
  at_.count_down(n_);
  return passer::ready();
}

}  // namespace coppice::inline v0
