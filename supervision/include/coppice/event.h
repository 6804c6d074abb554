// An event: set once for all who wait.
#pragma once

#include <coppice/detail/gate.h>
#include <coppice/detail/wait.h>

namespace coppice::inline v0 {

namespace detail {

class event_source : public gate::passer {
 public:
  using passer::passer;
  using part_of_select = gate::part;
  static constexpr const char* name = "event.wait";
};

}  // namespace detail

// Manual-reset: set until reset. All but the destructor may be called from any thread; no call blocks, and none but wait()
// asks for memory: some 16 bytes for each that waits at the same time as two others.
//
// A waiter that is stopped takes nothing with it, and what it leaves is cleared away by those who come later: a million
// that came and went, one after the other, leave nothing. Whoever has seen the event set may destroy it, also while set()
// has not returned yet. Destroying it while somebody waits terminates with a sentence, as for all that tasks wait at.
class event {
 public:
  explicit event(bool set = false) noexcept : gate_("an event", set) {}
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  // Releases every waiter, parts of a select() first, else in order of arrival, also if the event is reset at once.
  // What was done before is visible to them, and to whoever finds the event set.
  void set() noexcept { gate_.open(); }

  // Who waits from now on waits for the next set(). What was done before set() is visible to the caller.
  void reset() noexcept { gate_.close(); }

  bool is_set() const noexcept { return gate_.is_open(); }

  // Until it is set. A cancellation point, also if it is set already. Throws std::bad_alloc, and has then not waited.
  detail::wait_operation<detail::event_source> wait() noexcept {
    return detail::wait_operation<detail::event_source>(detail::event_source(gate_));
  }

 private:
  detail::gate gate_;
};

}  // namespace coppice::inline v0
