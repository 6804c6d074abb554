// The state of one suspension: who may resume it is settled here, by one compare-exchange.
//
//     held ----- arm ----> arming --- publish ---> suspended --- claim ---> claimed
//     |  ^                 |    ^                      |                       |
//  rele- |               fire   +------ retract -------+                       |
//  ase   |                 v                                                   |
//     |  +---- rest ----- fired / claimed <------------------------------------+
//     v
//     empty                held <---- link, unlink ----> link
//
// Between two waits its owner holds it, or gives it up: then it is empty, and anybody's who finds it. A link
// leads to more slots.
//
// A slot is not part of the frame that waits: it lies in memory that is only ever reused as a slot, and its
// generation never goes back. So an event, a timer and a cancel hold a ticket, by value, for as long as they
// like, and may try to claim with it at any time, also when the task is long gone.
//
// Invariants
//   S1  Of all claims of one generation at most one is told it won; a claim that met arming counts as won
//       by the operation itself (fired), and the suspender's publish() or give_up() is then refused.
//   S2  The waiter is written while the slot is arming and not until its release; only a winner reads it.
//
// Orderings
//   S3  publish() then a look at the epoch; cancel moves the epoch then reads the slots: all four in one
//       total order, so of a suspender and a cancel that meet, one sees the other.
//   S4  publish() releases what the suspender wrote, a winner's claim acquires it.
//   S5  A claim or fire releases what the event did, the resumed task's rest() or release() acquires it.
//   S6  release() releases what its owner did with the slot, who takes it next acquires it.
//   S7  A link's target is written before the word, and read between two looks at it: if the word is the same,
//       the target belongs to it. In one total order with S3, as link() is to be found by a walk.
#pragma once

#include <coppice/detail/atomic.h>

#include <cstdint>

namespace coppice::inline v0::detail {

class slot_chunk;
class suspension;

enum class claim_result {
  lost,   // Another was faster, or the wait is over.
  won,    // The caller must resume the waiter.
  fired,  // The waiter had not gone to sleep: it goes on by itself.
};

class slot {
 public:
  enum class state : std::uint64_t { empty, held, arming, suspended, link, claimed, fired };

  // What a walker sees.
  struct view {
    state at;
    std::uint64_t generation;
  };

  // The owner of the memory: takes it if it is empty.
  [[nodiscard]] bool hold_if_empty() noexcept {
    const std::uint64_t word = word_.load(std::memory_order_acquire);  // S6
    if ((word & state_mask) != bits(state::empty)) {
      return false;
    }
    word_.store(word | bits(state::held), std::memory_order_relaxed);
    return true;
  }

  // Suspender: begins a wait. The slot must be empty or held. Returns its generation. `direct`: nobody but the branch
  // in whose set the slot lies decides whether it is to stop.
  std::uint64_t arm(suspension& waiter, bool direct = false) noexcept {
    return arm_with(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(&waiter) |
                                            std::uintptr_t{direct}));
  }

  // The same of whatever else the slots of a set stand for.
  std::uint64_t arm_with(void* target) noexcept {
    const std::uint64_t generation = word_.load(std::memory_order_relaxed) & ~state_mask;
    target_.store(target, std::memory_order_release);  // S7
    word_.store(generation | bits(state::arming), std::memory_order_relaxed);
    return generation;
  }

  // Suspender: from here on anybody may resume the task. False if the event has come: do not suspend.
  [[nodiscard]] bool publish(std::uint64_t generation) noexcept {
    std::uint64_t expected = generation | bits(state::arming);
    return word_.compare_exchange_strong(expected, generation | bits(state::suspended),
                                         std::memory_order_seq_cst,   // S3 S4
                                         std::memory_order_acquire);  // S5
  }

  // Suspender, or whoever else wants to look at the waiter: takes the publication back. False if somebody has
  // claimed, or the wait is over: hands off.
  [[nodiscard]] bool retract(std::uint64_t generation) noexcept {
    std::uint64_t expected = generation | bits(state::suspended);
    return word_.compare_exchange_strong(expected, generation | bits(state::arming),
                                         std::memory_order_acquire,  // S4
                                         std::memory_order_relaxed);
  }

  // Suspender: will not wait after all. False if the event has come first: its result must be delivered.
  [[nodiscard]] bool give_up(std::uint64_t generation) noexcept {
    std::uint64_t expected = generation | bits(state::arming);
    return word_.compare_exchange_strong(expected, generation | bits(state::claimed),
                                         std::memory_order_acquire,   // S5
                                         std::memory_order_acquire);  // S5
  }

  // Whoever the claim made the owner, when nothing points to the wait any more. Old tickets are void.
  void rest() noexcept { move_on(state::held); }

  // The same, or a holder: gives it up.
  void release() noexcept { move_on(state::empty); }

  // Its holder: from here on it leads to what lies in `first` and behind.
  void link(slot_chunk& first) noexcept {
    const std::uint64_t generation = word_.load(std::memory_order_relaxed) & ~state_mask;
    target_.store(&first, std::memory_order_release);                        // S7
    word_.store(generation | bits(state::link), std::memory_order_seq_cst);  // S3 S7
  }

  // The same takes that back, and holds it.
  void unlink() noexcept { move_on(state::held); }

  // A walker.
  view look() const noexcept {
    const std::uint64_t word = word_.load(std::memory_order_seq_cst);  // S3 S7
    return {static_cast<state>(word & state_mask), word & ~state_mask};
  }

  // Where the link leads that it has seen; null if it has been taken back.
  slot_chunk* linked(const view& seen) const noexcept {
    auto* const target = static_cast<slot_chunk*>(target_.load(std::memory_order_acquire));  // S7
    const std::uint64_t word = word_.load(std::memory_order_relaxed);
    return word == (seen.generation | bits(state::link)) ? target : nullptr;
  }

  // Anybody: the wait of this generation is over, says an event.
  [[nodiscard]] claim_result claim(std::uint64_t generation) noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      if (word == (generation | bits(state::suspended))) {
        if (word_.compare_exchange_weak(word, generation | bits(state::claimed),
                                        std::memory_order_acq_rel,  // S4 S5
                                        std::memory_order_relaxed)) {
          return claim_result::won;
        }
      } else if (word == (generation | bits(state::arming))) {
        if (word_.compare_exchange_weak(word, generation | bits(state::fired),
                                        std::memory_order_release,  // S5
                                        std::memory_order_relaxed)) {
          return claim_result::fired;
        }
      } else {
        return claim_result::lost;
      }
    }
  }

  // The same, unless somebody has retracted it.
  [[nodiscard]] bool claim_suspended(std::uint64_t generation) noexcept {
    std::uint64_t expected = generation | bits(state::suspended);
    return word_.compare_exchange_strong(expected, generation | bits(state::claimed),
                                         std::memory_order_acq_rel,  // S4 S5
                                         std::memory_order_relaxed);
  }

  // Anybody: can this ticket still claim? A no is for ever.
  bool open(std::uint64_t generation) const noexcept {
    const std::uint64_t word = word_.load(std::memory_order_relaxed);
    return word == (generation | bits(state::suspended)) ||
           word == (generation | bits(state::arming));
  }

  // The winner's, or that of whoever has retracted it.
  suspension& waiter() const noexcept {
    return *reinterpret_cast<suspension*>(reinterpret_cast<std::uintptr_t>(target()) &
                                          ~std::uintptr_t{1});
  }

  // A walker, that has seen it suspended: of that wait, if a claim of its generation then wins.
  bool direct() const noexcept { return (reinterpret_cast<std::uintptr_t>(target()) & 1) != 0; }

  void* target() const noexcept { return target_.load(std::memory_order_relaxed); }

  // The owner of an empty slot, in a list of such.
  slot* next_free() const noexcept {
    return static_cast<slot*>(target_.load(std::memory_order_relaxed));
  }
  void next_free(slot* other) noexcept { target_.store(other, std::memory_order_release); }  // S7

 private:
  static constexpr std::uint64_t state_mask = 7;
  static constexpr std::uint64_t one_generation = 8;

  static constexpr std::uint64_t bits(state value) noexcept {
    return static_cast<std::uint64_t>(value);
  }

  void move_on(state to) noexcept {
    const std::uint64_t word = word_.load(std::memory_order_acquire);  // S5
    const std::uint64_t next = ((word & ~state_mask) + one_generation) | bits(to);
    word_.store(next, std::memory_order_release);  // S6
  }

  atomic<std::uint64_t> word_{0};  // Generation and state; by the transitions above.
  atomic<void*> target_{nullptr};  // The waiter (S2), where a link leads, or the next empty slot.
};

// The right to end one wait, once; void as soon as the wait is over.
struct ticket {
  slot* at = nullptr;
  std::uint64_t generation = 0;

  explicit operator bool() const noexcept { return at != nullptr; }
  bool open() const noexcept { return at->open(generation); }
  [[nodiscard]] claim_result claim() const noexcept { return at->claim(generation); }
};

}  // namespace coppice::inline v0::detail
