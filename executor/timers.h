// The timers of one worker: tickets in a heap, earliest first.
//
// A timer is never taken out when its wait ends otherwise: its ticket is void then, and harmless. So that a
// task that sets and drops many costs no memory, every insertion also looks at two others and discards
// those that are void: about as many void timers remain as there are open ones.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/slot.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace coppice::inline v0::detail {

// Not synchronised: the owner's lock guards it.
class timer_heap {
 public:
  // Throws std::bad_alloc, and is then as before.
  void insert(time_point due, ticket wait) {
    sweep();
    heap_.push_back({due, ++inserted_, wait});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }

  // When the earliest is due. It may be void; only a due one is certain to be looked at.
  time_point earliest() const noexcept { return heap_.empty() ? time_point::max() : heap_[0].due; }

  // The earliest that is not void, which costs a look at those that are.
  std::optional<time_point> earliest_open() noexcept {
    while (!heap_.empty() && !heap_[0].wait.open()) {
      drop_first();
    }
    return heap_.empty() ? std::nullopt : std::optional(heap_[0].due);
  }

  std::size_t open_count() const noexcept {
    return static_cast<std::size_t>(std::count_if(
        heap_.begin(), heap_.end(), [](const entry& each) { return each.wait.open(); }));
  }

  // Takes the next ticket that is due; empty if there is none. Equal times: in order of insertion.
  ticket take_due(time_point now) noexcept {
    if (heap_.empty() || heap_[0].due > now) {
      return {};
    }
    return drop_first();
  }

 private:
  struct entry {
    time_point due;
    std::uint64_t order;
    ticket wait;
  };

  static bool later(const entry& a, const entry& b) noexcept {
    return a.due != b.due ? a.due > b.due : a.order > b.order;
  }

  ticket drop_first() noexcept {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const ticket first = heap_.back().wait;
    heap_.pop_back();
    return first;
  }

  void sweep() noexcept {
    for (int i = 0; i != 2 && !heap_.empty(); ++i) {
      cursor_ = cursor_ + 1 < heap_.size() ? cursor_ + 1 : 0;
      if (!heap_[cursor_].wait.open()) {
        discard(cursor_);
      }
    }
  }

  // The last entry fills the gap and moves to where it belongs.
  void discard(std::size_t gap) noexcept {
    entry moved = heap_.back();
    heap_.pop_back();
    if (gap == heap_.size()) {
      return;
    }
    while (gap != 0 && later(heap_[(gap - 1) / 2], moved)) {
      heap_[gap] = heap_[(gap - 1) / 2];
      gap = (gap - 1) / 2;
    }
    for (;;) {
      std::size_t child = 2 * gap + 1;
      if (child >= heap_.size()) {
        break;
      }
      if (child + 1 < heap_.size() && later(heap_[child], heap_[child + 1])) {
        ++child;
      }
      if (!later(moved, heap_[child])) {
        break;
      }
      heap_[gap] = heap_[child];
      gap = child;
    }
    heap_[gap] = moved;
  }

  std::vector<entry> heap_;
  std::uint64_t inserted_ = 0;
  std::size_t cursor_ = 0;  // Where the sweep stands.
};

}  // namespace coppice::inline v0::detail
