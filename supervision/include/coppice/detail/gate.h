// A gate, and those who wait until it is open.
//
// One word: open, or closed; and if closed, awaited, for as long as somebody stands in line. The line is its place's,
// under the lock; so is the bit `awaited`. Who opens a gate that nobody awaits takes no lock.
//
// Orderings
//   GA1  Who opens the gate releases what it has done; who finds it open, or closes it, acquires that.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/waiting_place.h>

#include <cstdint>
#include <mutex>

namespace coppice::inline v0::detail {

// What an event and a latch are made of.
class COPPICE_EXPORT gate {
 public:
  // `what`: as waiting_place.
  gate(const char* what, bool is_open) noexcept
      : place_(what), state_(is_open ? state::open : state::closed) {}

  // Any thread. Everybody who waits now goes on.
  void open() noexcept;
  void close() noexcept;
  bool is_open() const noexcept {
    return state_.load(std::memory_order_acquire) == state::open;  // GA1
  }

  // What the source (wait.h) of a wait at a gate is made of; it has to add its name.
  class COPPICE_EXPORT passer : waiter {
   public:
    using value_type = void;

    explicit passer(gate& through) noexcept : through_(through) {}

    bool ready() const noexcept { return through_.is_open(); }
    void arm(const ticket& wait, worker_core& here) noexcept;
    void disarm() noexcept;
    using waiter::served;
    void result() const noexcept {}

   protected:
    gate& through() const noexcept { return through_; }

   private:
    gate& through_;
  };

 private:
  enum class state : std::uint32_t { closed, awaited, open };

  waiting_place place_;
  atomic<state> state_;  // To awaited and from it: under the lock.
};

}  // namespace coppice::inline v0::detail
