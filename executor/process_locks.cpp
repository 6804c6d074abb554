// What fork() does to the locks of the process.
#include "executor/process_locks.h"

#include <coppice/detail/atomic.h>

#include <pthread.h>

#include <array>
#include <cstddef>

namespace coppice::inline v0::detail {

namespace {

// Trivially destroyed, and so there to the very end.
constinit std::array<std::mutex, static_cast<std::size_t>(process_lock::complaints) + 1> mutexes;

constinit atomic<std::uint64_t> generation{
    0};  // The child of a fork(), when it has one thread only.

void lock_all() noexcept {
  for (std::mutex& each : mutexes) {
    each.lock();
  }
}

void unlock_all() noexcept {
  for (std::mutex& each : mutexes) {
    each.unlock();
  }
}

void begin_child() noexcept {
  unlock_all();
  generation.fetch_add(1, std::memory_order_relaxed);
}

bool registered() noexcept {
  static const bool done = pthread_atfork(&lock_all, &unlock_all, &begin_child) == 0;
  return done;
}

// Before main(), so that no thread is in the midst of it at a fork().
[[maybe_unused]] const bool registered_early = registered();

}  // namespace

std::mutex& mutex_of(process_lock which) noexcept {
  return mutexes[static_cast<std::size_t>(which)];
}

std::uint64_t process_generation() noexcept {
  static_cast<void>(registered());
  return generation.load(std::memory_order_relaxed);
}

}  // namespace coppice::inline v0::detail
