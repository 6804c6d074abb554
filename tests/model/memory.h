// What weak memory lets a thread see: every location has all its values, every thread how much it knows of them.
//
// The model is C++20's without fences, and without values out of thin air, as an abstract machine. A store puts a
// message into the location's modification order, if it likes before others that its thread has not seen; a load may
// read any that is not older than what its thread knows of. A release store's message carries what its thread knew,
// and who acquires it knows that too. Operations that are seq_cst come in the order in which they are made, and see
// what those before them saw. Knowledge is also what has happened before: so a location that is destroyed, or read
// before its initialization is known, is found out whether or not the schedule lets it go wrong.
#pragma once

#include "tests/model/coppice_model/atomic.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace coppice_model {

inline constexpr std::size_t most_threads = 8;

// For what the explorer keeps for itself: past operator new, which is the model's.
template <class T>
struct own_allocator {
  using value_type = T;

  own_allocator() noexcept = default;
  template <class U>
  own_allocator(const own_allocator<U>&) noexcept {}  // NOLINT: any is as good.

  T* allocate(std::size_t n) {
    void* const memory = std::malloc(n * sizeof(T));
    if (memory == nullptr) {
      throw std::bad_alloc();
    }
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) noexcept { std::free(memory); }

  friend bool operator==(const own_allocator&, const own_allocator&) noexcept { return true; }
};

template <class T>
using list = std::vector<T, own_allocator<T>>;

// What a thread knows: how far each location's modification order has come, and each thread's life.
class view {
 public:
  word stamp_of(std::size_t location) const noexcept {
    return location < stamps_.size() ? stamps_[location] : 0;
  }
  void see(std::size_t location, word stamp);
  void join(const view& other);

  std::uint32_t clock_of(std::size_t thread) const noexcept { return clocks_[thread]; }
  void tick(std::size_t thread) noexcept { ++clocks_[thread]; }

 private:
  list<word> stamps_;
  std::array<std::uint32_t, most_threads> clocks_{};
};

// Says which of several things happens that all may; 0 is what would without weak memory.
class delays {
 public:
  virtual std::size_t delay(std::size_t choices) = 0;
  [[noreturn]] virtual void fail(const std::string& what) = 0;

  // Is it the first execution? What a process makes once is then made, behind a guard of the compiler's, of which the
  // explorer hears nothing.
  virtual bool is_first() const = 0;

 protected:
  ~delays() = default;
};

class memory {
 public:
  explicit memory(delays& chooser) noexcept : chooser_(chooser) {}

  void begin_life(std::size_t thread, const view& mine, const place& of);
  void end_life(const view& mine, const place& of);

  word load(std::size_t thread, view& mine, const place& from, std::memory_order order);
  void store(std::size_t thread, view& mine, const place& to, word value, std::memory_order order);
  word update(std::size_t thread, view& mine, const place& of, change how, word operand,
              std::memory_order order);
  bool compare_exchange(std::size_t thread, view& mine, const place& of, word& expected,
                        word desired, bool weak, std::memory_order success,
                        std::memory_order failure);

  // In the order of their first use: what a trace calls them.
  std::size_t name_of(const place& of) { return find(of).name; }

 private:
  struct message {
    word stamp;
    word value;
    std::shared_ptr<const view> carried;  // Null: nothing.
    bool followed;                        // By an update, with nothing in between.
  };

  struct location {
    std::size_t name = 0;
    list<message> messages = {};  // In modification order.
    word floor = 0;               // What seq_cst operations have seen.
    bool gone = false;
    std::size_t born_by = most_threads;  // None: before the execution.
    std::uint32_t born_at = 0;
    std::array<std::uint32_t, most_threads> touched{};  // When each thread last used it.
  };

  location& find(const place& of);
  location& touch(std::size_t thread, const view& mine, const place& of);
  void read(view& mine, location& from, const message& which, std::memory_order order);
  void append(view& mine, location& to, const place& at, word value, std::memory_order order,
              std::shared_ptr<const view> inherited);

  delays& chooser_;
  std::unordered_map<void*, std::size_t, std::hash<void*>, std::equal_to<>,
                     own_allocator<std::pair<void* const, std::size_t>>>
      names_;
  list<location> locations_;
};

}  // namespace coppice_model
