// What a cancel_token looks at: counted, so that it may outlive the scope it speaks of.
//
// A token in foreign hands cannot walk up the tree, whose nodes may be gone. So the scope registers
// this block as if it were a waiting task, and whoever walks the tree for a cancel marks it.
//
// Invariants
//   B1  requested_ is never taken back, and reason_ is never empty once it is set.
//   B2  A std::stop_source that was given away unstopped is stopped by mark(), and by nothing else:
//       its callbacks run where mark() is called, on a worker.
//
// Orderings
//   CT1  request() sets the flag behind the reason, requested() acquires it: who sees the flag finds
//        the reason, and all that the canceller did before.
//   CT2  std_token() publishes the source, mark() and other std_token() acquire it: nobody sees it
//        half made.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/reason_block.h>
#include <coppice/detail/reference_count.h>

#include <stop_token>

namespace coppice::inline v0::detail {

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

  bool requested() const noexcept { return requested_.load(std::memory_order_acquire); }  // CT1

  // Borrowed; null until a mark.
  const reason_block* reason() const noexcept { return reason_.get(); }

  // Makes the token see the request; takes over the caller's reference to the reason, of which the
  // first stays. On a worker and never inside cancel(): runs the callbacks that foreign code has
  // registered with the std::stop_token. Any number of times, from any number of workers.
  COPPICE_EXPORT void mark(const reason_block* counted) noexcept;

  // Its first half: the flag and the reason, and no callback. On any thread, also inside cancel(), so that
  // code which polls a token sees the request though no worker is free; a mark() must follow.
  void request(const reason_block* counted) noexcept {
    reason_.offer(counted);
    requested_.store(true, std::memory_order_release);  // CT1
  }

  // Made at the first call. Throws std::bad_alloc.
  COPPICE_EXPORT std::stop_token std_token();

 private:
  token_block() noexcept = default;
  ~token_block();

  COPPICE_EXPORT static void destroy(token_block* block) noexcept;

  reference_count references_;
  atomic<bool> requested_{false};  // request().
  reason_slot reason_;             // The first request.
  // Null; or this block itself: a mark found no source to stop, so one that is made later is stopped
  // before it is shown; or a std::stop_source, and then for good.
  atomic<void*> source_{nullptr};
};

}  // namespace coppice::inline v0::detail
