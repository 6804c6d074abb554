// What a cancel_token looks at: counted, so that it may outlive the scope it speaks of.
//
// It asks the scope's node, when the executor's count of cancels has moved since it last did. The node
// takes itself away before it goes, under the block's lock.
//
// Invariants
//   B1  requested_ is never taken back, and reason_ is never empty once it is set.
//   B2  A std::stop_source that was given away unstopped is stopped by mark(), and by nothing else:
//       its callbacks run where mark() is called, on a worker. So that somebody does, the executor
//       lists the block, see token_list.h, before the source is given away.
//
// Orderings
//   CT1  request() sets the flag behind the reason, requested() acquires it: who sees the flag finds
//        the reason, and all that the canceller did before.
//   CT2  std_token() publishes the source, mark() and other std_token() acquire it: nobody sees it
//        half made.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/executor_link.h>
#include <coppice/detail/export.h>
#include <coppice/detail/reason_block.h>
#include <coppice/detail/reference_count.h>

#include <mutex>
#include <stop_token>

namespace coppice::inline v0::detail {

class cancel_node;

class token_block {
 public:
  // One reference is the caller's. Null if there is no memory.
  COPPICE_EXPORT static token_block* make() noexcept;

  token_block(const token_block&) = delete;
  token_block& operator=(const token_block&) = delete;

  void add_reference() noexcept { references_.add(); }

  void drop() noexcept {
    if (references_.drop()) {
      destroy(this);
    }
  }

  // About one load, unless somebody somewhere has cancelled since it was last asked.
  bool requested() noexcept {
    if (requested_.load(std::memory_order_acquire)) {  // CT1
      return true;
    }
    if (home_.link == nullptr) {
      return false;
    }
    const epoch now = home_.link->cancels.load(std::memory_order_acquire);  // E1
    return now != seen_.load(std::memory_order_relaxed) && look(now);
  }

  // Before it is shown to anybody: the node to ask from now on.
  void watch(cancel_node& node, const executor_ref& home) noexcept {
    node_ = &node;
    home_ = home;
  }

  // The node is about to go, and is not to be asked any more; `look`: once more.
  COPPICE_EXPORT void detach(bool look) noexcept;

  // Does it still ask?
  COPPICE_EXPORT bool watching() noexcept;

  // Borrowed; null until a mark.
  const reason_block* reason() const noexcept { return reason_.get(); }

  // Makes the token see the request; takes over the caller's reference to the reason, of which the
  // first stays. On a worker and never inside cancel(): runs the callbacks that foreign code has
  // registered with the std::stop_token. Any number of times, from any number of workers.
  COPPICE_EXPORT void mark(const reason_block* counted) noexcept;

  // The same if it has been requested.
  void mark_if_requested() noexcept {
    if (requested_.load(std::memory_order_acquire)) {  // CT1
      const reason_block* const why = reason();
      why->add_reference();
      mark(why);
    }
  }

  // Its first half: the flag and the reason, and no callback. On any thread, also inside cancel(), so that
  // code which polls a token sees the request though no worker is free; a mark() must follow.
  void request(const reason_block* counted) noexcept {
    reason_.offer(counted);
    requested_.store(true, std::memory_order_release);  // CT1
  }

  // Made at the first call. Throws std::bad_alloc.
  COPPICE_EXPORT std::stop_token std_token();

  token_block* listed_next = nullptr;  // The token_list's.

 private:
  token_block() noexcept = default;
  ~token_block();

  COPPICE_EXPORT bool look(epoch now) noexcept;
  void list() noexcept;
  COPPICE_EXPORT static void destroy(token_block* block) noexcept;

  reference_count references_;
  atomic<bool> requested_{false};  // request().
  reason_slot reason_;             // The first request.
  // Null; or this block itself: a mark found no source to stop, so one that is made later is stopped
  // before it is shown; or a std::stop_source, and then for good.
  atomic<void*> source_{nullptr};
  atomic<epoch> seen_{0};  // Whoever asks: at that epoch the node was not asked to stop.
  executor_ref home_;      // watch().
  std::mutex making_;      // std_token(), while it makes the source; taken before the other.
  std::mutex mutex_;
  cancel_node* node_ = nullptr;  // Under the lock.
  bool listed_ = false;          // Under the lock: in a token_list.
};

}  // namespace coppice::inline v0::detail
