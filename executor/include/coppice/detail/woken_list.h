// Waits that somebody has won, and that go on together.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/job.h>

namespace coppice::inline v0::detail {

class executor_core;
class suspension;

// Filled by who ends waits, perhaps under a lock; what waited goes on when the list goes, in the order in which it was
// added. So it is declared before the lock is taken:
//
//   woken_list woken;
//   const std::lock_guard lock(mutex_);
//
// Any thread. Asks for no memory.
class COPPICE_EXPORT woken_list {
 public:
  woken_list() noexcept = default;
  woken_list(const woken_list&) = delete;
  woken_list& operator=(const woken_list&) = delete;
  ~woken_list() { go_on(); }

  // Its slot has been claimed, and won. `home`: where it waits.
  void add(suspension& won, executor_core& home) noexcept;

  // All that have been added go on now.
  void go_on() noexcept {
    if (oldest_ != nullptr) {
      queue_all();
    }
  }

 private:
  void queue_all() noexcept;

  executor_core* home_ = nullptr;  // Of all in the list.
  job* oldest_ = nullptr;
  job* newest_ = nullptr;
};

}  // namespace coppice::inline v0::detail
