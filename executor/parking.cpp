// Sleeping on a futex, and waking.
#include "executor/parking.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace coppice::inline v0::detail {

namespace {

// The kernel compares the word itself. Absolute deadlines are of CLOCK_MONOTONIC, which is std's steady
// clock in libstdc++.
long futex(atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* deadline) {
  static_assert(sizeof(word) == sizeof(std::uint32_t));
  return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, deadline, nullptr,
                 FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

parking::parking(std::size_t workers)
    : count_(workers),
      most_searchers_(std::max<std::int64_t>(1, static_cast<std::int64_t>(workers / 2))),
      beds_(std::make_unique<bed[]>(workers)) {}

bool parking::begin_search() noexcept {
  std::uint64_t word = word_.load(std::memory_order_relaxed);
  do {
    if (searchers(word) >= most_searchers_) {
      return false;
    }
  } while (!word_.compare_exchange_weak(word, word + one_searcher, std::memory_order_relaxed));
  return true;
}

bool parking::end_search() noexcept {
  const std::uint64_t before = word_.fetch_sub(one_searcher, std::memory_order_seq_cst);  // P1
  return searchers(before) <= 1 && sleepers(before) != 0;
}

bool parking::announce(std::size_t worker, bool searching) noexcept {
  beds_[worker].asleep.store(1, std::memory_order_relaxed);
  const std::uint64_t before = word_.fetch_add(one_sleeper - (searching ? one_searcher : 0),
                                               std::memory_order_seq_cst);  // P1
  return sleepers(before) + 1 == count_;
}

// Of a waker and a worker that wakes by itself, the exchange lets one count the worker as awake.
bool parking::rouse(bed& which) noexcept {
  if (which.asleep.load(std::memory_order_relaxed) == 0 ||
      which.asleep.exchange(0, std::memory_order_acq_rel) == 0) {  // P2
    return false;
  }
  word_.fetch_add(one_searcher - one_sleeper, std::memory_order_seq_cst);  // P1
  return true;
}

void parking::retract(std::size_t worker) noexcept {
  rouse(beds_[worker]);
}

bool parking::wake_one() noexcept {
  for (std::size_t i = 0; i != count_; ++i) {
    if (rouse(beds_[i])) {
      futex(beds_[i].asleep, FUTEX_WAKE_BITSET, 1, nullptr);
      return true;
    }
  }
  return false;
}

void parking::wake_all() noexcept {
  static_cast<void>(word_.load(std::memory_order_seq_cst));  // P1
  for (std::size_t i = 0; i != count_; ++i) {
    if (rouse(beds_[i])) {
      futex(beds_[i].asleep, FUTEX_WAKE_BITSET, 1, nullptr);
    }
  }
}

bool parking::wait(std::size_t worker, time_point deadline) noexcept {
  bed& mine = beds_[worker];
  const bool limited = deadline != time_point::max();
  const auto since_epoch = deadline.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  const timespec until{static_cast<time_t>(seconds.count()),
                       static_cast<long>((since_epoch - seconds).count())};
  while (mine.asleep.load(std::memory_order_acquire) != 0) {  // P2
    if (limited && clock::now() >= deadline) {
      return !rouse(mine);
    }
    futex(mine.asleep, FUTEX_WAIT_BITSET, 1, limited ? &until : nullptr);
  }
  return true;
}

}  // namespace coppice::inline v0::detail
