// A lock that is held for some instructions, and no longer.
//
// An uncontended std::mutex costs two locked instructions, this one a single one; and who finds it taken waits where it
// stands, for the holder is nearly done. Nothing that may block, allocate or call a user's code runs under it.
//
// Orderings
//   BM1  unlock() releases what was done under the lock, whoever locks next sees it.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>

namespace coppice::inline v0::detail {

class COPPICE_EXPORT brief_mutex {
 public:
  brief_mutex() noexcept = default;
  brief_mutex(const brief_mutex&) = delete;
  brief_mutex& operator=(const brief_mutex&) = delete;

  void lock() noexcept {
    if (!try_lock()) [[unlikely]] {
      wait();
    }
  }

  bool try_lock() noexcept {
    return !held_.exchange(true, std::memory_order_acquire);  // BM1
  }

  void unlock() noexcept {
    held_.store(false, std::memory_order_release);  // BM1
  }

 private:
  void wait() noexcept;

  atomic<bool> held_{false};
};

}  // namespace coppice::inline v0::detail
