// What lies in a channel: items in order of arrival, in memory that grows with their number.
//
// Orderings
//   IR1  push() counts the item it has put there; who pops sees the item, once it has seen the count.
//   IR2  pop() counts the item it has taken; who pushes sees the place empty, once it has seen the count.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/brief_mutex.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

// Does an item lie in the ring itself? Else it lies in a block of its own, and what is moved under a channel's lock is
// a pointer: no destructor of T's runs there, nor a move that may throw.
template <class T>
inline constexpr bool lies_in_ring =
    std::is_trivially_destructible_v<T> && std::is_nothrow_move_constructible_v<T> &&
    sizeof(T) <= 64 && alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;

// One item on its way, or the room for it; its owner knows which.
template <class T, bool = lies_in_ring<T>>
class item {
 public:
  // Its place in a ring.
  union cell {
    cell() noexcept {}
    T value;
  };

  item() noexcept {}
  item(const item&) = delete;
  item& operator=(const item&) = delete;

  // Of an empty one, for compilers that otherwise take it for a value that was forgotten.
  void clear() noexcept { std::memset(static_cast<void*>(&cell_), 0, sizeof(cell_)); }

  // Takes the memory that fill() would need. Throws std::bad_alloc.
  static void reserve() noexcept {}

  template <class... From>
  void fill(From&&... from) noexcept(std::is_nothrow_constructible_v<T, From...>) {
    std::construct_at(std::addressof(cell_.value), std::forward<From>(from)...);
  }

  // What is full is empty afterwards.
  void take_from(cell& full) noexcept { fill(std::move(full.value)); }
  void take_from(item& full) noexcept { take_from(full.cell_); }
  void put_into(cell& empty) noexcept {
    std::construct_at(std::addressof(empty.value), std::move(cell_.value));
  }

  // Of a full one.
  T& value() noexcept { return cell_.value; }

 private:
  cell cell_;
};

template <class T>
class item<T, false> {
 public:
  using cell = T*;

  item() noexcept = default;
  item(const item&) = delete;
  item& operator=(const item&) = delete;
  ~item() {
    if (block_ != nullptr) {
      if (full_) {
        std::destroy_at(block_);
      }
      std::allocator<T>().deallocate(block_, 1);
    }
  }

  static void clear() noexcept {}
  void reserve() {
    if (block_ == nullptr) {
      block_ = std::allocator<T>().allocate(1);
    }
  }

  template <class... From>
  void fill(From&&... from) {
    reserve();
    std::construct_at(block_, std::forward<From>(from)...);
    full_ = true;
  }

  void take_from(cell& full) noexcept {
    block_ = full;
    full_ = true;
  }
  void take_from(item& full) noexcept {
    full.put_into(block_);
    full_ = true;
  }
  void put_into(cell& empty) noexcept {
    empty = std::exchange(block_, nullptr);
    full_ = false;
  }

  T& value() noexcept { return *block_; }

 private:
  T* block_ = nullptr;
  bool full_ = false;
};

// First in, first out. Each end has a lock of its own, so that who pushes and who pops need not wait for each other;
// lock() takes both. Its memory is asked for by whoever will use it, outside the locks, and given back there.
template <class T>
class item_ring {
  using cell = typename item<T>::cell;

 public:
  using memory = std::unique_ptr<cell[]>;

  item_ring() noexcept = default;
  item_ring(const item_ring&) = delete;
  item_ring& operator=(const item_ring&) = delete;
  ~item_ring() = default;  // Of an empty one.

  brief_mutex& push_end() noexcept { return pushing_.mutex; }
  brief_mutex& pop_end() noexcept { return popping_.mutex; }

  void lock() noexcept {
    push_end().lock();
    pop_end().lock();
  }
  void unlock() noexcept {
    pop_end().unlock();
    push_end().unlock();
  }

  // Who has the pop end, and may lose it for a moment: the push end is locked first.
  void lock_push_end_too() noexcept {
    if (!push_end().try_lock()) {
      pop_end().unlock();
      lock();
    }
  }

  // Exact for who has both locks. To others a guess, and perhaps more than has room: items pass while it counts.
  std::size_t size() const noexcept {
    const std::size_t popped = popping_.passed.load(std::memory_order_relaxed);
    const std::size_t pushed = pushing_.passed.load(std::memory_order_relaxed);
    return pushed > popped ? pushed - popped : 0;
  }

  // How many it has memory for. Changes under both locks.
  std::size_t room() const noexcept { return room_; }

  // Who has the push end: a yes is true until it pushes.
  bool has_place() noexcept {
    const std::size_t pushed = pushing_.passed.load(std::memory_order_relaxed);
    if (pushed - pushing_.seen_of_other >= room_) {
      pushing_.seen_of_other = popping_.passed.load(std::memory_order_acquire);  // IR2
    }
    return pushed - pushing_.seen_of_other < room_;
  }

  // The same, if there is a place.
  void push(item<T>& full) noexcept {
    full.put_into(cells_[pushing_.next]);
    pushing_.go_on(room_);
  }

  // Who has the pop end: a yes is true until it pops.
  bool has_item() noexcept {
    const std::size_t popped = popping_.passed.load(std::memory_order_relaxed);
    if (popped >= popping_.seen_of_other) {
      popping_.seen_of_other = pushing_.passed.load(std::memory_order_acquire);  // IR1
    }
    return popped < popping_.seen_of_other;
  }

  // The same, if there is an item.
  void pop(item<T>& empty) noexcept {
    empty.take_from(cells_[popping_.next]);
    popping_.go_on(room_);
  }

  // The room to ask for when there are so many items and no more room, and there may be `most`.
  static std::size_t next_room(std::size_t room, std::size_t most) noexcept {
    return std::min(most, std::max<std::size_t>(least_room, 2 * room));
  }

  // Throws std::bad_alloc.
  static memory make(std::size_t room) { return memory(new cell[room]); }

  // Under both locks. Moves into more memory; what it had lies there afterwards.
  void move_into(memory& larger, std::size_t room) noexcept {
    const std::size_t count = size();
    std::size_t from = popping_.next;
    for (std::size_t i = 0; i != count; ++i) {
      item<T> each;
      each.take_from(cells_[from]);
      each.put_into(larger[i]);
      from = from + 1 == room_ ? 0 : from + 1;
    }
    popping_.next = 0;
    pushing_.next = count;
    room_ = room;
    cells_.swap(larger);
  }

  // The same, of an empty ring: the memory of many items is the caller's. Null: they were not many.
  memory give_up_memory() noexcept {
    if (room_ <= kept_room) {
      return nullptr;
    }
    room_ = 0;
    popping_.next = pushing_.next = 0;
    return std::move(cells_);
  }

 private:
  static constexpr std::size_t least_room = 16;
  static constexpr std::size_t kept_room = 1024;

  // No cache line of the one is one of the other's, or of what lies beside them. (An alignment would not hold in a
  // coroutine's frame.)
  struct end {
    std::byte apart[64];
    brief_mutex mutex;              // Of what follows.
    atomic<std::size_t> passed{0};  // Of all that have been pushed, or popped.
    std::size_t seen_of_other = 0;  // May be behind.
    std::size_t next = 0;           // A place.

    void go_on(std::size_t room) noexcept {
      next = next + 1 == room ? 0 : next + 1;
      const std::size_t all = passed.load(std::memory_order_relaxed) + 1;
      passed.store(all, std::memory_order_release);  // IR1 IR2
    }
  };

  end pushing_;
  end popping_;
  std::byte apart_[64];
  memory cells_;
  std::size_t room_ = 0;
};

}  // namespace coppice::inline v0::detail
