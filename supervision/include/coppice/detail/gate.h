// A gate, and those who wait until it is open.
//
// One word: open, or closed; and if closed, awaited, once somebody has come to wait. Who waits leaves a ticket, under the
// lock, and need not take it back. A part of a select() stands in its place's line instead, for it has to be told whether
// the gate has ended its wait. Who opens a gate that nobody awaits takes no lock.
//
// Orderings
//   GA1  Who opens the gate releases what it has done; who finds it open, or closes it, acquires that.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/ticket_queue.h>
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
  gate(const gate&) = delete;
  gate& operator=(const gate&) = delete;

  // Terminates with a sentence if somebody waits.
  ~gate();

  // Any thread. Everybody who waits now goes on, parts of a select() first.
  void open() noexcept;
  void close() noexcept;
  bool is_open() const noexcept {
    return state_.load(std::memory_order_acquire) == state::open;  // GA1
  }

  class part;

  // What the source (wait.h) of a wait at a gate is made of; it has to add its name.
  class passer {
   public:
    using value_type = void;

    explicit passer(gate& through) noexcept : through_(through) {}

    bool ready() const noexcept { return through_.is_open(); }
    void arm(const ticket& wait, worker_core&) { through_.add(wait); }
    static void disarm() noexcept {}
    static void result() noexcept {}

   private:
    friend part;

    gate& through_;
  };

  // The same as a part of a select().
  class COPPICE_EXPORT part : waiter {
   public:
    using value_type = void;

    explicit part(const passer& of) noexcept : through_(of.through_) {}

    bool ready() const noexcept { return through_.is_open(); }
    void arm(const ticket& wait, worker_core& here) noexcept;
    void disarm() noexcept;
    using waiter::served;
    static void result() noexcept {}

   private:
    gate& through_;
  };

 private:
  enum class state : std::uint32_t { closed, awaited, open };

  // Throws std::bad_alloc.
  void add(const ticket& wait);

  // Under the lock. False: it is open.
  bool begin_waiting() noexcept;

  waiting_place place_;
  ticket_queue tickets_;  // Under the lock.
  atomic<state> state_;   // To awaited and from it: under the lock.
};

}  // namespace coppice::inline v0::detail
