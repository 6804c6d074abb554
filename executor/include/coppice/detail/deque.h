// A work-stealing deque in two parts: one its owner works on with plain stores, one for thieves.
//
//          top_              split_               next_
//           v                 v                    v
//     ...   a     b     c     d     e     f       ( )   ...       steal() takes a, pop() takes f
//           '--- public ---'  '-- private --'
//
// The public part is after Chase and Lev (SPAA 2005), with split_ for what they call bottom and,
// where Le, Pop, Cohen and Zappa Nardelli (PPoPP 2013) place fences, seq_cst accesses, which
// ThreadSanitizer understands. The private part is why a fork and its join cost no locked
// instruction: items become public all at once, when the public part is found empty, and those
// that no thief wanted come back by halves.
//
// Indices are counts of 64 bits, compared by their difference, so that they may wrap; a thief that
// sleeps between its look and its claim is fooled by an equal top_ only after 2^64 steals. Item i
// lies in slot i modulo the ring's capacity. The owner, though, keeps no index of its end but a
// pointer, good for one lap around the ring: that and two pointers to compare it with are all that
// push() and pop() need, and they come out 0.4 ns faster for it, a third.
//
// Invariants
//   I1  top_ only grows, and whoever moves it from i to i + 1 owns item i. The oldest public item
//       is taken in no other way, by the owner neither.
//   I2  Only the owner writes split_, ring_, the slots and everything below them.
//   I3  As the owner leaves them, top_ <= split_ <= bottom() <= limit_ <= top_ + capacity: a slot
//       still to be taken is never overwritten. border_ is split_.
//   I4  signal_ is border_, or less after a pop() that showed an item again which it had hidden for
//       a moment. While top_ has not reached it there is public work, and nobody is owed a wake-up.
//   I5  stop_ is where limit_ or the lap ends, and floor_ where border_ lies or the lap begins.
//
// Orderings
//   D1  Every store of split_ publishes the slots before it, and what was written to the items
//       before they were pushed; look() reads it: a thief that sees an item counted, sees the item.
//   D2  take_back() lowers split_, then reads top_; look() reads top_, then split_. All four have a
//       place in one total order. So a thief that still saw the higher split_ had read a top_ no
//       newer than the one the owner reads afterwards, t, and can claim nothing beyond item t. The
//       owner keeps what lies beyond t, and leaves t public or claims it like a thief.
//   D3  claim() moves top_, make_room() reads it: a slot is reused only after its thief has read
//       it. And look() reads it: a thief's view of split_ is no older than its predecessor's.
//   D4  adopt() publishes ring_, look() reads it: a thief never sees a ring half copied.
//   D5  publish() writes split_, or take_back() has, and then the owner reads who is asleep; a
//       thief that goes to sleep says so by a seq_cst read-modify-write, then calls has_public().
//       All four have a place in one total order, so one of the two sees the other.
#pragma once

#include <coppice/detail/atomic.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

enum class push_result : std::uint8_t {
  kept,       // In the private part.
  published,  // In the public part, as is everything older: a thief has to be awake.
  full,       // Nowhere: there was no memory to grow.
};

template <typename T>
class deque {
 public:
  using index = std::uint64_t;

  // `capacity` is where the ring starts, not where it ends; it is rounded up to a power of two.
  // `origin` is the index of the first item; only tests, in search of wrap-around, have one.
  explicit deque(std::size_t capacity = 256, index origin = 0)
      : top_(origin), split_(origin), signal_(origin), border_(origin) {
    adopt(std::make_unique<ring>(std::bit_ceil(capacity)));
    limit_ = origin + newest_->capacity();
    aim(origin, lap_of(origin));
  }

  deque(const deque&) = delete;
  deque& operator=(const deque&) = delete;

  // Owner only. `item` is not null. True if items became public: the caller then sees to it that a
  // thief is awake (D5). Throws std::bad_alloc, and leaves the deque as it was, if it must grow and
  // cannot.
  [[nodiscard]] bool push(T* item) {
    if (next_ == stop_) [[unlikely]] {
      make_room(1);
    }
    place(item);
    return share();
  }

  // Owner only. As push(), for where an exception has nowhere to go.
  [[nodiscard]] push_result try_push(T* item) noexcept {
    if (next_ == stop_ && !try_make_room()) [[unlikely]] {
      return push_result::full;
    }
    place(item);
    return share() ? push_result::published : push_result::kept;
  }

  // Owner only. As push() of make(0), then of make(1), up to make(n - 1), but thieves see all of
  // them at once or none. `make` keeps off this deque.
  template <typename Make>
  [[nodiscard]] bool push_n(std::size_t n, Make&& make) {
    static_assert(std::is_nothrow_invocable_r_v<T*, Make&, std::size_t>);
    if (static_cast<std::size_t>(stop_ - next_) < n) [[unlikely]] {
      make_room(n);
    }
    for (std::size_t i = 0; i != n; ++i) {
      if (next_ == stop_) [[unlikely]] {
        make_room(n - i);  // Into the next lap: there is room for all of them already.
      }
      place(make(i));
    }
    return share();
  }

  // Owner only. The newest item, or null if there is none. Before it runs a popped item, the owner
  // calls share(), lest thieves find nothing for as long as the item runs.
  [[nodiscard]] T* pop() noexcept {
    if (next_ == floor_) [[unlikely]] {
      return pop_at_floor();
    }
    --next_;
    return next_->load(std::memory_order_relaxed);
  }

  // Owner only. Takes the newest item if it is `expected`, and changes nothing if it is not.
  [[nodiscard]] bool pop_if(T* expected) noexcept {
    atomic<T*>* const end = next_;
    if (end == floor_) [[unlikely]] {
      return pop_at_floor_if(expected);
    }
    if ((end - 1)->load(std::memory_order_relaxed) != expected) {
      return false;
    }
    next_ = end - 1;
    return true;
  }

  // Owner only. Publishes everything if thieves would find nothing. True as for push().
  [[nodiscard]] bool share() noexcept {
    if (before(top_.load(std::memory_order_relaxed), signal_)) [[likely]] {
      return false;
    }
    return publish();
  }

  // Owner only. Publishes everything, for somebody is hungry. True as for push().
  [[gnu::noinline]] bool publish() noexcept {
    const index end = bottom();
    const bool owed = signal_ != border_;
    signal_ = end;
    if (end == border_) {
      return owed;
    }
    border_ = end;
    floor_ = next_;
    split_.store(end, std::memory_order_seq_cst);  // D1 D5
    return true;
  }

  // Owner only. Thieves may have made it less by the time it is looked at.
  std::size_t size() const noexcept {
    return static_cast<std::size_t>(bottom() - top_.load(std::memory_order_relaxed));
  }

  // Any thread. The oldest public item, or null if there is none or another taker was faster; the
  // caller need not tell the two apart, since in both it should look elsewhere next.
  [[nodiscard]] T* steal() noexcept {
    const sighting seen = look();
    return seen.item != nullptr && claim(seen) ? seen.item : nullptr;
  }

  // Any thread. Whether there is something to steal. A thief that has said it will sleep, and then
  // sees false, may: whoever publishes from now on sees it asleep (D5).
  bool has_public() const noexcept {
    const index top = top_.load(std::memory_order_relaxed);      // An old one errs towards true.
    return before(top, split_.load(std::memory_order_seq_cst));  // D5
  }

 protected:
  // The halves of steal() and of pop(), apart so that a test may stand between them.
  struct sighting {
    index top;
    T* item;
  };

  [[nodiscard]] sighting look() const noexcept {
    const index top = top_.load(std::memory_order_seq_cst);      // D2 D3
    const index split = split_.load(std::memory_order_seq_cst);  // D1 D2
    if (!before(top, split)) {
      return {top, nullptr};
    }
    // Read before claiming: once top_ has moved, the owner may reuse the slot.
    const ring& slots = *ring_.load(std::memory_order_acquire);  // D4
    return {top, slots.at(top).load(std::memory_order_relaxed)};
  }

  [[nodiscard]] bool claim(const sighting& seen) noexcept {
    index top = seen.top;
    return top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,  // D2 D3
                                        std::memory_order_relaxed);
  }

  // As pop(), when the private part is empty and the owner has seen top_ at `top`.
  [[nodiscard]] T* pop_public(index top) noexcept {
    if (top == border_) {
      return nullptr;
    }
    const index last = border_ - 1;
    T* const item = newest_->at(last).load(std::memory_order_relaxed);
    if (top != last && take_back(top)) {
      aim(last, lap_before(last));
      return item;
    }
    return claim({last, item}) ? item : nullptr;
  }

 private:
  struct ring {
    explicit ring(std::size_t capacity)
        : mask(capacity - 1), slots(std::make_unique<atomic<T*>[]>(capacity)) {}

    std::size_t capacity() const noexcept { return mask + 1; }

    atomic<T*>& at(index i) const noexcept { return slots[static_cast<std::size_t>(i) & mask]; }

    std::size_t mask;
    std::unique_ptr<atomic<T*>[]> slots;
    std::unique_ptr<ring> older;  // A thief may still be reading it.
  };

  static constexpr std::size_t max_capacity = std::size_t{1} << 48;

  static bool before(index a, index b) noexcept { return static_cast<std::int64_t>(a - b) < 0; }

  // The index at next_: of the item to be pushed next.
  index bottom() const noexcept { return lap_ + static_cast<index>(next_ - newest_->slots.get()); }

  // The lap in which item i lies, and the one in which the item before it lies, by first index.
  index lap_of(index i) const noexcept { return i & ~index{newest_->mask}; }
  index lap_before(index i) const noexcept { return lap_of(i - 1); }

  void place(T* item) noexcept {
    atomic<T*>* const at = next_;
    at->store(item, std::memory_order_relaxed);
    next_ = at + 1;
  }

  // The rest of pop() when next_ is at floor_.
  [[gnu::noinline]] T* pop_at_floor() noexcept {
    const index end = bottom();
    if (end == border_) {
      return pop_public(top_.load(std::memory_order_relaxed));
    }
    aim(end, lap_before(end));
    --next_;
    return next_->load(std::memory_order_relaxed);
  }

  // A slot keeps its pointer when its item is stolen, so that a match alone says nothing yet.
  [[gnu::noinline]] bool pop_at_floor_if(T* expected) noexcept {
    const atomic<T*>& newest = newest_->at(bottom() - 1);
    return newest.load(std::memory_order_relaxed) == expected && pop_at_floor() != nullptr;
  }

  // Makes the newer half of the public items private, of which the owner has just seen at least
  // two, the oldest at `top`. True if the newest is private now; false if thieves have meanwhile
  // left at most that one, and then nothing has changed.
  bool take_back(index top) noexcept {
    const index split = border_;
    const index target = split - (split - top) / 2;
    split_.store(target, std::memory_order_seq_cst);  // D1 D2
    top = top_.load(std::memory_order_seq_cst);       // D2
    if (before(top, target)) {
      border_ = signal_ = target;
      return true;
    }
    // Thieves were faster, and one may have seen item `top` and not yet claimed it. A thief that
    // looked here just now saw nothing, and may sleep: if item `top` stays, it is news (I4).
    const bool more = split - top > 1;
    border_ = more ? top + 1 : split;
    signal_ = more ? top : split;
    split_.store(border_, std::memory_order_seq_cst);  // D1 D2 D5
    return more;
  }

  // Sees to it that n more items fit, and at least the first of them at next_. The rings outgrown
  // stay until the deque dies, for a thief may still be reading one; all of them together are
  // smaller than the newest.
  [[gnu::noinline, gnu::cold]] void make_room(std::size_t n) {
    const index end = bottom();
    if (limit_ - end < n) {
      const index top = top_.load(std::memory_order_acquire);  // D3
      const auto used = static_cast<std::size_t>(end - top);
      if (newest_->capacity() - used < n) {
        grow(top, end, n);
      }
      limit_ = top + newest_->capacity();
    }
    aim(end, lap_of(end));
  }

  [[gnu::noinline, gnu::cold]] bool try_make_room() noexcept {
    try {
      make_room(1);
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  void grow(index top, index end, std::size_t n) {
    const auto used = static_cast<std::size_t>(end - top);
    if (n > max_capacity - used) {
      throw std::bad_alloc();
    }
    auto bigger = std::make_unique<ring>(std::bit_ceil(used + n));
    for (index i = top; i != end; ++i) {
      T* const item = newest_->at(i).load(std::memory_order_relaxed);
      bigger->at(i).store(item, std::memory_order_relaxed);
    }
    bigger->older = std::move(newest_);
    adopt(std::move(bigger));
  }

  void adopt(std::unique_ptr<ring> next) noexcept {
    newest_ = std::move(next);
    ring_.store(newest_.get(), std::memory_order_release);  // D4
  }

  // Points next_ at index `end`, in the lap that begins at index `lap`.
  void aim(index end, index lap) noexcept {
    atomic<T*>* const slots = newest_->slots.get();
    lap_ = lap;
    next_ = slots + (end - lap);
    stop_ = slots + std::min<index>(limit_ - lap, newest_->capacity());
    floor_ = before(border_, lap) ? slots : slots + (border_ - lap);
  }

  // Thieves, and the owner for the last public item.
  alignas(64) atomic<index> top_;

  // The owner, seldom, for thieves to read.
  alignas(64) atomic<index> split_;
  atomic<ring*> ring_{nullptr};  // Always newest_.

  // The owner alone, from here on.
  alignas(64) atomic<T*>* next_ = nullptr;
  atomic<T*>* stop_ = nullptr;
  atomic<T*>* floor_ = nullptr;
  index signal_;
  index border_;
  index limit_ = 0;
  index lap_ = 0;  // The index of the ring's first slot, as next_ counts.
  std::unique_ptr<ring> newest_;
};

}  // namespace coppice::inline v0::detail
