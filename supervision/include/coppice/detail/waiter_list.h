// Who waits at a primitive, in order of arrival.
//
// A waiter lies in the source of the waiting operation (wait.h), and so in a frame; waiting and ceasing to wait are O(1)
// and ask for no memory. The list lies in the primitive, and is used under its lock. There are two ways out of it:
//
//   served     whoever has something to give claims the waiter's ticket. If the claim counts, what is given is the
//              waiter's, and an operation that is stopped afterwards delivers it all the same. If not, the wait was over
//              before, and what is to be given is for the next.
//   leaves     its own operation, in disarm(), because the task is stopped or its time is up.
//
// So nothing is given to one who is gone, and whoever leaves having been given nothing must see that others are not
// kept waiting by it.
//
// Invariants
//   - A waiter in a list is alive: its frame cannot go before leave() has found it out of the list.
//   - Who serves a waiter that has not gone to sleep, or whose wait was over, touches it no more once it is out.
//
// Orderings
//   WL1  Who serves a waiter hands over, and only then takes it out; its task, which finds it out of the list, sees what it
//        was given. It needs no lock for that, and so the primitive may be gone.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/suspension.h>
#include <coppice/detail/woken_list.h>
#include <coppice/detail/worker_core.h>

#include <cstdint>
#include <mutex>
#include <thread>

namespace coppice::inline v0::detail {

class waiter_list;

class waiter {
 public:
  waiter() noexcept = default;
  waiter(waiter&& /*other*/) noexcept {}  // Before it waits.
  waiter& operator=(const waiter&) = delete;

  // Under the lock, while it is in the list: can it still be served? A no is for ever.
  bool open() const noexcept { return wait_.open(); }

  // The same: does it wait under this ticket, as the operations do that are selected from?
  bool waits_under(const ticket& wait) const noexcept {
    return wait_.at == wait.at && wait_.generation == wait.generation;
  }

  // The same. Ends its wait, and takes it out of the list. True if it is served: then hand_over() has been called, and
  // its task goes on behind it, at the latest when `woken` goes. False if its wait was over.
  template <class HandOver>
  bool serve(woken_list& woken, HandOver hand_over) noexcept {
    const ticket wait = wait_;
    executor_core& home = *home_;
    stand_.store(stand::served, std::memory_order_relaxed);
    const claim_result claimed = wait.claim();
    if (claimed != claim_result::lost) {
      hand_over();
      served_ = true;
    }
    take_out();
    if (claimed == claim_result::won) {
      woken.add(wait.at->waiter(), home);
    }
    return claimed != claim_result::lost;
  }
  bool serve(woken_list& woken) noexcept {
    return serve(woken, [] {});
  }

  // Its own operation, in arm(): need not wait, having taken what it wants. False if it is too late, for another operation
  // under the same ticket has been served: what was taken is to be given back.
  [[nodiscard]] bool serve_itself(const ticket& wait) noexcept {
    served_ = wait.claim() != claim_result::lost;
    return served_;
  }

  // Its own operation, when it is out of the list: has it been served?
  bool served() const noexcept { return served_; }

  // Its own operation, in disarm(). Gives the lock, held, if it has just taken itself out of the list; an empty one if
  // it was out of it, or had never been in one.
  template <class Mutex>
  [[nodiscard]] std::unique_lock<Mutex> leave(Mutex& mutex) noexcept {
    stand seen = look();
    while (seen == stand::served) {
      std::this_thread::yield();
      seen = look();
    }
    if (seen == stand::listed) {
      std::unique_lock lock(mutex);
      if (look() == stand::listed) {
        take_out();
        return lock;
      }
    }
    return {};
  }

 private:
  friend class waiter_list;

  // Served: out in a moment. Whoever the claim lets go on sees that, or that it is out, but not that it is listed.
  enum class stand : std::uint8_t { out, listed, served };

  stand look() const noexcept {
    return stand_.load(std::memory_order_acquire);  // WL1
  }

  void take_out() noexcept {
    next_->previous_ = previous_;
    previous_->next_ = next_;
    stand_.store(stand::out, std::memory_order_release);  // WL1
  }

  // All under the lock, and while it is in a list.
  waiter* next_;
  waiter* previous_;
  ticket wait_;
  executor_core* home_;
  atomic<stand> stand_{stand::out};  // Written under the lock.
  bool served_ = false;              // Whoever serves it.
};

class waiter_list {
 public:
  waiter_list() noexcept { clear(); }
  waiter_list(const waiter_list&) = delete;
  waiter_list& operator=(const waiter_list&) = delete;

  bool empty() const noexcept { return ends_.next_ == &ends_; }

  // Who has waited longest, and who came after; null: nobody.
  waiter* first() const noexcept { return here_or_null(ends_.next_); }
  waiter* after(const waiter& one) const noexcept { return here_or_null(one.next_); }

  // Does somebody wait who could be served now, under another ticket?
  bool someone_open_besides(const ticket& wait) const noexcept {
    for (const waiter* each = first(); each != nullptr; each = after(*each)) {
      if (!each->waits_under(wait) && each->open()) {
        return true;
      }
    }
    return false;
  }

  // The operation itself, in arm(): waits behind all others.
  void add(waiter& last, const ticket& wait, worker_core& here) noexcept {
    last.wait_ = wait;
    last.home_ = &here.home;
    last.next_ = &ends_;
    last.previous_ = ends_.previous_;
    last.previous_->next_ = &last;
    ends_.previous_ = &last;
    last.stand_.store(waiter::stand::listed, std::memory_order_relaxed);
  }

  // Serves the first whose wait is not over. False: there is none.
  template <class HandOver>
  bool serve_first(woken_list& woken, HandOver hand_over) noexcept {
    while (waiter* const each = first()) {
      if (each->serve(woken, [&] { hand_over(*each); })) {
        return true;
      }
    }
    return false;
  }

  // Everybody in `other` waits here instead. This one is empty.
  void take_all(waiter_list& other) noexcept {
    if (!other.empty()) {
      ends_.next_ = other.ends_.next_;
      ends_.previous_ = other.ends_.previous_;
      ends_.next_->previous_ = &ends_;
      ends_.previous_->next_ = &ends_;
      other.clear();
    }
  }

 private:
  void clear() noexcept {
    ends_.next_ = &ends_;
    ends_.previous_ = &ends_;
  }

  waiter* here_or_null(waiter* found) const noexcept { return found != &ends_ ? found : nullptr; }

  waiter ends_;  // Before the first and behind the last.
};

}  // namespace coppice::inline v0::detail
