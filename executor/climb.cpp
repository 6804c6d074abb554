#include <coppice/detail/climb.h>

#include <array>
#include <mutex>
#include <thread>

namespace coppice::inline v0::detail {

namespace {

// Those that have begun and not ended, by the turn in which they were counted. Threads share few of these.
struct alignas(64) stripe {
  std::array<atomic<std::uint32_t>, 2> begun{};
};

constinit std::array<stripe, 64> stripes{};
constinit atomic<std::uint32_t> turn{0};  // Whoever waits.
constinit std::mutex waiting;

stripe& stripe_of_thread() noexcept {
  static constinit atomic<std::uint32_t> threads{0};  // Each at its first climb.
  thread_local const std::uint32_t mine =
      threads.fetch_add(1, std::memory_order_relaxed) % static_cast<std::uint32_t>(stripes.size());
  return stripes[mine];
}

}  // namespace

climb::climb() noexcept
    : begun_(stripe_of_thread().begun[turn.load(std::memory_order_relaxed) % 2]) {
  begun_.fetch_add(1, std::memory_order_seq_cst);  // CB1
}

void climb::wait_for_all() noexcept {
  const std::lock_guard lock(waiting);
  for (int i = 0; i != 2; ++i) {
    const std::uint32_t before = turn.fetch_add(1, std::memory_order_seq_cst) % 2;  // CB1
    for (stripe& each : stripes) {
      while (each.begun[before].load(std::memory_order_seq_cst) != 0) {  // CB1 CB2
        std::this_thread::yield();
      }
    }
  }
}

}  // namespace coppice::inline v0::detail
