// Somebody who is told of signals of the process, inside the handler.
//
// A handler may have interrupted anybody, and so takes no lock: it goes through the list of listeners as it finds it.
// Who leaves takes itself out of the list and then waits until no handler is under way that may have seen it.
//
// A signal that nobody here listens to goes where it would have gone before: the handler puts back what was there
// and raises the signal again. So it is in the child of a fork(), where none of the parent's listeners counts.
//
// Orderings
//   SL1  A handler counts itself, then reads the list; who leaves changes the list, then reads the count: one of the two
//        sees the other. A handler counts itself off behind all that it did, who leaves acquires that.
//   SL2  A listener is whole before it is listed; who finds it in the list sees it so.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>

#include <sys/types.h>

#include <cstdint>
#include <initializer_list>

namespace coppice::inline v0::detail {

// Numbers of signals, from 1 to 64.
class signal_set {
 public:
  constexpr signal_set() noexcept = default;

  // usage_error, naming the call, for a number that is no signal's, for signals that cannot be caught, and for those
  // that a fault raises, behind which the code cannot go on.
  COPPICE_EXPORT signal_set(std::initializer_list<int> numbers, const char* call);

  static constexpr std::uint64_t bit_of(int number) noexcept {
    return std::uint64_t{1} << (number - 1);
  }
  constexpr bool contains(int number) const noexcept { return (bits & bit_of(number)) != 0; }

  // Calls fn(number) for each, in ascending order.
  template <class F>
  constexpr void for_each(const F& fn) const {
    for (int number = 1; number <= 64; ++number) {
      if (contains(number)) {
        fn(number);
      }
    }
  }

  std::uint64_t bits = 0;
};

class COPPICE_EXPORT signal_listener {
 public:
  signal_listener(const signal_listener&) = delete;
  signal_listener& operator=(const signal_listener&) = delete;

 protected:
  signal_listener() noexcept = default;
  ~signal_listener() = default;

  struct manner {
    bool leave_ignored =
        false;  // Not those that are ignored now: whoever started the process wanted it so.
    bool only_first = false;  // The next of any of them does what the system does by default.
  };

  // From here on it is told. Once, when the object is whole.
  void listen(signal_set wanted, manner how) noexcept;

  // From here on it is not, and what the signals did before is put back, unless others listen to them, or somebody else
  // has changed it meanwhile. Gives those that were put back. Not in a handler.
  signal_set leave() noexcept;

 private:
  // In a handler: whatever it does is async-signal-safe.
  virtual void come(int number) noexcept = 0;

  static void handle(int number) noexcept;
  static void put_back(int number) noexcept;

  signal_set wanted_;
  manner how_;
  pid_t process_ = 0;  // Where it listens.
  atomic<signal_listener*> next_{nullptr};
};

}  // namespace coppice::inline v0::detail
