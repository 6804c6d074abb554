// Who looks further up the tree than what keeps it there: what is above may be left to the root meanwhile.
//
// Orderings
//   CB1  Who climbs is counted, then reads which node is above; who has changed that reads the counts: of the two one
//        sees the other. Twice, for one may be counted late, among those of the turn before.
//   CB2  Who has climbed releases what it did above; who waits acquires it.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>

#include <cstdint>

namespace coppice::inline v0::detail {

// From its beginning to its end nothing that it finds above goes away. Any thread; they may be nested.
class COPPICE_EXPORT climb {
 public:
  climb() noexcept;
  climb(const climb&) = delete;
  climb& operator=(const climb&) = delete;
  ~climb() { begun_.fetch_sub(1, std::memory_order_release); }  // CB2

  // Waits until all that have begun have ended. Not within one.
  static void wait_for_all() noexcept;

 private:
  atomic<std::uint32_t>& begun_;
};

}  // namespace coppice::inline v0::detail
