// The one word that says where a node of the tree stands. No other file knows its bits.
//
//     requested   somebody asked what is below to stop; never taken back
//     shielded    requests from above are kept out
//     linked      what registers below is found from above, or is about to be
//     leavable    what is above may go before it
//     left        it has been left to the root, or is about to be: nobody links it any more
//     apart       a branch that is linked past the strand it stands under; and the outermost of those strands
//     overriding  the request goes for what shields below it keep out as well
//     unyielding  its shield keeps out such requests too
//
// and, for ever, what it is: a task's, a branch, or something else.
//
// Orderings
//   N1  request() sets the flag behind the reason, requested() acquires it: who sees it finds the reason.
#pragma once

#include <coppice/detail/atomic.h>

#include <cstdint>

namespace coppice::inline v0::detail {

class scope_state {
 public:
  enum class what : std::uint32_t { other = 0, task = 64, branch = 128 };

  constexpr scope_state() noexcept = default;
  constexpr explicit scope_state(what of) noexcept : word_(static_cast<std::uint32_t>(of)) {}

  what is() const noexcept {
    constexpr auto mask =
        static_cast<std::uint32_t>(what::task) | static_cast<std::uint32_t>(what::branch);
    return static_cast<what>(word_.load(std::memory_order_relaxed) & mask);
  }

  // True for the first to ask.
  bool request() noexcept {
    const std::uint32_t before =
        word_.fetch_or(requested_bit, std::memory_order_seq_cst);  // N1 SC5
    return (before & requested_bit) == 0;
  }
  bool requested() const noexcept {
    return (word_.load(std::memory_order_seq_cst) & requested_bit) != 0;  // N1 SC5
  }

  // The same, for what is shielded below as well. True for the first to ask so.
  bool override_shields() noexcept {
    const std::uint32_t before =
        word_.fetch_or(requested_bit | overriding_bit, std::memory_order_seq_cst);  // N1 SC5
    return (before & overriding_bit) == 0;
  }
  bool overrides_shields() const noexcept {
    return (word_.load(std::memory_order_seq_cst) & overriding_bit) != 0;  // N1
  }

  // Neither requested nor shielded: the answer is that of the parent.
  bool transparent() const noexcept {
    const std::uint32_t word = word_.load(std::memory_order_seq_cst);  // N1 CB1
    return (word & (requested_bit | shielded_bit)) == 0;
  }

  // The host. True if that is new: the epoch is to be moved behind it.
  bool shield(bool on) noexcept {
    const std::uint32_t before = on ? word_.fetch_or(shielded_bit, std::memory_order_relaxed)
                                    : word_.fetch_and(~shielded_bit, std::memory_order_relaxed);
    return ((before & shielded_bit) != 0) != on;
  }
  bool shielded() const noexcept {
    return (word_.load(std::memory_order_relaxed) & shielded_bit) != 0;
  }

  // Before anything is below.
  void be_unyielding() noexcept { word_.fetch_or(unyielding_bit, std::memory_order_relaxed); }

  // Its shield is up, and keeps out every request.
  bool unyielding() const noexcept {
    constexpr std::uint32_t both = shielded_bit | unyielding_bit;
    return (word_.load(std::memory_order_relaxed) & both) == both;
  }

  // True for the one that is to link the node to what is above it.
  bool begin_link() noexcept {
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    do {
      if ((word & (linked_bit | left_bit)) != 0) {
        return false;
      }
    } while (!word_.compare_exchange_weak(word, word | linked_bit, std::memory_order_relaxed,
                                          std::memory_order_relaxed));
    return true;
  }
  bool linked() const noexcept {
    return (word_.load(std::memory_order_relaxed) & (linked_bit | left_bit)) != 0;
  }
  bool holds_link() const noexcept {
    return (word_.load(std::memory_order_relaxed) & linked_bit) != 0;
  }
  void unlink() noexcept { word_.fetch_and(~linked_bit, std::memory_order_relaxed); }

  // Before anything is below.
  void may_be_left() noexcept { word_.fetch_or(leavable_bit, std::memory_order_relaxed); }
  bool leavable() const noexcept {
    return (word_.load(std::memory_order_relaxed) & leavable_bit) != 0;
  }

  // Behind a request. Who climbs later does not link it.
  void leave() noexcept { word_.fetch_or(left_bit, std::memory_order_seq_cst); }  // CB1

  // Before anything waits below the branch.
  void stand_apart() noexcept { word_.fetch_or(apart_bit, std::memory_order_seq_cst); }  // S3
  bool apart() const noexcept {
    return (word_.load(std::memory_order_seq_cst) & apart_bit) != 0;  // S3
  }

 private:
  static constexpr std::uint32_t requested_bit = 1;
  static constexpr std::uint32_t shielded_bit = 2;
  static constexpr std::uint32_t linked_bit = 4;
  static constexpr std::uint32_t leavable_bit = 8;
  static constexpr std::uint32_t left_bit = 16;
  static constexpr std::uint32_t apart_bit = 32;
  static constexpr std::uint32_t overriding_bit = 256;
  static constexpr std::uint32_t unyielding_bit = 512;

  atomic<std::uint32_t> word_{0};  // Whoever cancels; the host; whoever links.
};

}  // namespace coppice::inline v0::detail
