// Who searches for work and who sleeps: an event count over all workers of an executor.
//
// The protocol, and why no wake-up is lost, is in executor/README.md.
//
// Orderings
//   P1  A producer publishes its job by a seq_cst access, then reads word_; a worker that goes to sleep
//       counts itself in word_, then looks at every queue again: all four in one total order, so the
//       worker sees the job or the producer sees the worker.
//   P2  wake() releases what its caller wrote, the woken worker's wait acquires it.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/atomic.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace coppice::inline v0::detail {

class parking {
 public:
  explicit parking(std::size_t workers);

  // A worker without work asks to search. False if enough others do: it should go to sleep.
  [[nodiscard]] bool begin_search() noexcept;

  // A searcher has found work. True if it was the last one while others sleep: it must wake one.
  [[nodiscard]] bool end_search() noexcept;

  // A producer, after it has published a job: does somebody have to be woken for it?
  bool wanted() const noexcept {
    const std::uint64_t word = word_.load(std::memory_order_seq_cst);  // P1
    return sleepers(word) != 0 && searchers(word) <= 0;
  }

  // Wakes one sleeper, which then searches. False if none sleeps any more.
  bool wake_one() noexcept;
  void wake_all() noexcept;

  // Announces that this worker sleeps; `searching` tells what it did before. The caller must now look at
  // every queue once more, and call retract() if it finds anything, else wait(). True if all sleep now.
  [[nodiscard]] bool announce(std::size_t worker, bool searching) noexcept;

  // The worker is awake again, and counts as searching.
  void retract(std::size_t worker) noexcept;

  // Sleeps until woken, or until `deadline` on the steady clock. The worker then counts as searching. True
  // if it was woken.
  bool wait(std::size_t worker, time_point deadline) noexcept;

  std::size_t sleeping() const noexcept { return sleepers(word_.load(std::memory_order_relaxed)); }
  bool anyone_idle() const noexcept { return word_.load(std::memory_order_relaxed) != 0; }
  bool all_asleep() const noexcept {
    return sleepers(word_.load(std::memory_order_seq_cst)) == count_;  // P1
  }

 private:
  static constexpr std::uint64_t one_searcher = 1;
  static constexpr std::uint64_t one_sleeper = std::uint64_t{1} << 32;

  // Who wakes another counts it as a searcher only when it is awake. It may have found work before, and have taken
  // itself off: then there is one less than none.
  static constexpr std::int64_t searchers(std::uint64_t word) {
    return static_cast<std::int32_t>(word & 0xffff'ffff);
  }
  static constexpr std::size_t sleepers(std::uint64_t word) { return (word + 0x8000'0000) >> 32; }

  // What the kernel waits on. Its worker puts it to sleep, whoever wakes it puts it back.
  struct alignas(64) bed {
    atomic<std::uint32_t> asleep{0};
  };

  bool rouse(bed& which) noexcept;

  const std::size_t count_;
  const std::int64_t most_searchers_;
  std::unique_ptr<bed[]> beds_;
  alignas(64) atomic<std::uint64_t> word_{0};  // Sleepers and searchers. Any worker, any producer.
};

}  // namespace coppice::inline v0::detail
