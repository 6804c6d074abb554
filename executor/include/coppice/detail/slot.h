// The state of one suspension: who may resume it is settled here, by one compare-exchange.
//
//     empty ---- arm ----> arming --- publish ---> suspended --- claim ---> claimed
//       ^                  |    ^                      |                       |
//       |                fire   +------ retract -------+                       |
//       |                  v                                                   |
//       +---- release --- fired / claimed <------------------------------------+
//
// A slot is not part of the frame that waits: it lies in memory that is only ever reused as a slot, and its
// generation never goes back. So an event, a timer and a cancel hold a ticket, by value, for as long as they
// like, and may try to claim with it at any time, also when the task is long gone.
//
// Invariants
//   S1  Of all claims of one generation at most one is told it won; a claim that met arming counts as won
//       by the operation itself (fired), and the suspender's publish() or give_up() is then refused.
//   S2  waiter_ is written while the slot is arming and not until its release; only a winner reads it.
//
// Orderings
//   S3  publish() then a look at the epoch; cancel moves the epoch then reads the slots: all four in one
//       total order, so of a suspender and a cancel that meet, one sees the other.
//   S4  publish() releases what the suspender wrote, a winner's claim acquires it.
//   S5  A claim or fire releases what the event did, the resumed task's release() acquires it.
#pragma once

#include <coppice/detail/atomic.h>

#include <cstdint>

namespace coppice::inline v0::detail {

class suspension;

enum class claim_result {
  lost,   // Another was faster, or the wait is over.
  won,    // The caller must resume the waiter.
  fired,  // The waiter had not gone to sleep: it goes on by itself.
};

class slot {
 public:
  enum class state : std::uint64_t { empty, arming, suspended, shielded, claimed, fired };

  // Suspender: begins a wait. The slot must be empty. Returns its generation.
  std::uint64_t arm(suspension& waiter) noexcept {
    const std::uint64_t generation = word_.load(std::memory_order_relaxed) & ~state_mask;
    waiter_ = &waiter;
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

  // Suspender: takes the publication back, to look at its scope. False if somebody has claimed: hands off.
  [[nodiscard]] bool retract(std::uint64_t generation) noexcept {
    std::uint64_t expected = generation | bits(state::suspended);
    return word_.compare_exchange_strong(expected, generation | bits(state::arming),
                                         std::memory_order_relaxed, std::memory_order_relaxed);
  }

  // Suspender: will not wait after all. False if the event has come first: its result must be delivered.
  [[nodiscard]] bool give_up(std::uint64_t generation) noexcept {
    std::uint64_t expected = generation | bits(state::arming);
    return word_.compare_exchange_strong(expected, generation | bits(state::claimed),
                                         std::memory_order_acquire,   // S5
                                         std::memory_order_acquire);  // S5
  }

  // Whoever the claim made the owner, when nothing points to the wait any more. Old tickets are void.
  void release() noexcept {
    const std::uint64_t word = word_.load(std::memory_order_acquire);  // S5
    word_.store((word & ~state_mask) + one_generation, std::memory_order_relaxed);
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

  // A walker of a cancel: claims whoever is suspended here, whatever the generation. True if it won; one
  // that is arming will see the epoch by itself.
  [[nodiscard]] bool claim_suspended() noexcept {
    std::uint64_t word = word_.load(std::memory_order_seq_cst);  // S3
    while ((word & state_mask) == bits(state::suspended)) {
      if (word_.compare_exchange_weak(word, (word & ~state_mask) | bits(state::claimed),
                                      std::memory_order_seq_cst,     // S3 S4 S5
                                      std::memory_order_seq_cst)) {  // S3
        return true;
      }
    }
    return false;
  }

  // Anybody: can this ticket still claim? A no is for ever.
  bool open(std::uint64_t generation) const noexcept {
    const std::uint64_t word = word_.load(std::memory_order_relaxed);
    return word == (generation | bits(state::suspended)) ||
           word == (generation | bits(state::arming));
  }

  // The winner's.
  suspension& waiter() const noexcept { return *waiter_; }

  // The owner of an empty slot may use it as a link.
  slot* link() const noexcept { return link_; }
  void link(slot* next) noexcept { link_ = next; }

 private:
  static constexpr std::uint64_t state_mask = 7;
  static constexpr std::uint64_t one_generation = 8;

  static constexpr std::uint64_t bits(state value) noexcept {
    return static_cast<std::uint64_t>(value);
  }

  atomic<std::uint64_t> word_{0};  // Generation and state; by the transitions above.
  union {
    suspension* waiter_ = nullptr;  // S2.
    slot* link_;                    // While empty.
  };
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
