// The tokens of an executor that foreign code waits on, as std::stop_token: whoever walks the tree for a cancel looks
// through them too, since nobody polls them.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/token_block.h>

#include <mutex>

namespace coppice::inline v0::detail {

class token_list {
 public:
  token_list() noexcept = default;
  token_list(const token_list&) = delete;
  token_list& operator=(const token_list&) = delete;
  ~token_list();

  // Takes a reference. Any thread; once for each block.
  void add(token_block& block) noexcept;

  // Stops those that are asked to, and forgets those that never will be. On a worker: runs foreign code's callbacks.
  void mark() noexcept {
    if (any_.load(std::memory_order_relaxed)) {
      mark_those_requested();
    }
  }

 private:
  void mark_those_requested() noexcept;

  atomic<bool> any_{false};  // Under the lock; anybody reads.
  std::mutex mutex_;
  token_block* first_ = nullptr;  // Under the lock.
};

}  // namespace coppice::inline v0::detail
