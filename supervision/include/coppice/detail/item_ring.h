// What lies in a channel: items in order of arrival, in memory that grows with their number.
#pragma once

#include <coppice/detail/atomic.h>

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

// First in, first out. Its memory is asked for by whoever will use it, outside the lock that guards the ring, and given
// back there.
template <class T>
class item_ring {
  using cell = typename item<T>::cell;

 public:
  using memory = std::unique_ptr<cell[]>;

  item_ring() noexcept = default;
  item_ring(const item_ring&) = delete;
  item_ring& operator=(const item_ring&) = delete;
  ~item_ring() = default;  // Of an empty one.

  // Any thread, without the lock: a snapshot.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  // How many it has memory for.
  std::size_t room() const noexcept { return room_; }

  // Only if there is room.
  void push(item<T>& full) noexcept {
    full.put_into(cells_[end_]);
    end_ = end_ + 1 == room_ ? 0 : end_ + 1;
    set_size(size() + 1);
  }

  // Only if there is one. An empty ring begins anew, so that a long one that never holds much is short.
  void pop(item<T>& empty) noexcept {
    empty.take_from(cells_[begin_]);
    set_size(size() - 1);
    if (size() == 0) {
      begin_ = end_ = 0;
    } else {
      begin_ = begin_ + 1 == room_ ? 0 : begin_ + 1;
    }
  }

  // The room to ask for when there are so many items and no more room, and there may be `most`.
  static std::size_t next_room(std::size_t room, std::size_t most) noexcept {
    return std::min(most, std::max<std::size_t>(least_room, 2 * room));
  }

  // Throws std::bad_alloc.
  static memory make(std::size_t room) { return memory(new cell[room]); }

  // Moves into more memory; what it had lies there afterwards.
  void move_into(memory& larger, std::size_t room) noexcept {
    const std::size_t count = size();
    for (std::size_t i = 0; i != count; ++i) {
      item<T> each;
      each.take_from(cells_[begin_]);
      each.put_into(larger[i]);
      begin_ = begin_ + 1 == room_ ? 0 : begin_ + 1;
    }
    begin_ = 0;
    end_ = count;
    room_ = room;
    cells_.swap(larger);
  }

  // Of an empty ring: the memory of many items is the caller's. Null: they were not many.
  memory give_up_memory() noexcept {
    if (room_ <= kept_room) {
      return nullptr;
    }
    room_ = 0;
    return std::move(cells_);
  }

 private:
  static constexpr std::size_t least_room = 16;
  static constexpr std::size_t kept_room = 1024;

  void set_size(std::size_t size) noexcept { size_.store(size, std::memory_order_relaxed); }

  memory cells_;
  std::size_t room_ = 0;
  std::size_t begin_ = 0;  // The oldest item.
  std::size_t end_ = 0;    // Where the next will lie.
  atomic<std::size_t> size_{0};
};

}  // namespace coppice::inline v0::detail
