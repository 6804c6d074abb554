#include "tests/support/failing_new.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

namespace coppice::testing_support {
namespace {

// Threads share a few counters on lines of their own, lest every test measure this file.
struct alignas(64) counters {
  std::atomic<std::size_t> requests{0};
  std::atomic<std::size_t> handed_out{0};
  std::atomic<std::size_t> given_back{0};
};
constinit std::array<counters, 16> shards{};
constinit std::atomic<std::size_t> threads_seen{0};

struct thread_state {
  counters* shard = nullptr;
  std::size_t requests = 0;
  unsigned spared = 0;  // Of spare_allocations.
};
constinit thread_local thread_state mine;

// What the guard asks for; written only while it is not armed.
struct failure_plan {
  std::size_t k = 0;
  failing_times times = failing_times::once;
  const thread_state* only = nullptr;  // Null: all threads.
};
constinit failure_plan plan;
constinit std::atomic<bool> armed{false};
constinit std::atomic<std::size_t> looked_at{0};
constinit std::atomic<bool> refused{false};

thread_state& here() noexcept {
  if (mine.shard == nullptr) {
    mine.shard = &shards[threads_seen.fetch_add(1) % shards.size()];
  }
  return mine;
}

bool must_fail() noexcept {
  thread_state& thread = here();
  ++thread.requests;
  thread.shard->requests.fetch_add(1, std::memory_order_relaxed);
  if (!armed.load(std::memory_order_acquire) || thread.spared != 0 ||
      (plan.only != nullptr && plan.only != &thread)) {
    return false;
  }
  const std::size_t number = looked_at.fetch_add(1) + 1;
  const bool fails =
      plan.k != 0 &&
      (number == plan.k || (number > plan.k && plan.times == failing_times::from_there_on));
  if (fails) {
    refused.store(true);
  }
  return fails;
}

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (must_fail()) {
    return nullptr;
  }
  void* block = nullptr;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    block = std::malloc(size != 0 ? size : 1);
  } else if (::posix_memalign(&block, alignment, size) != 0) {
    block = nullptr;
  }
  if (block != nullptr) {
    here().shard->handed_out.fetch_add(1, std::memory_order_relaxed);
  }
  return block;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* const block = allocate(size, alignment);
  if (block == nullptr) {
    throw std::bad_alloc();
  }
  return block;
}

void deallocate(void* block) noexcept {
  if (block != nullptr) {
    here().shard->given_back.fetch_add(1, std::memory_order_relaxed);
    std::free(block);
  }
}

}  // namespace

bool can_fail_allocations() noexcept {
  const std::size_t before = mine.requests;
  ::operator delete(::operator new(1));
  return mine.requests != before;
}

std::size_t allocations() noexcept {
  std::size_t sum = 0;
  for (const counters& shard : shards) {
    sum += shard.requests.load(std::memory_order_relaxed);
  }
  return sum;
}

std::size_t thread_allocations() noexcept {
  return mine.requests;
}

std::size_t live_allocations() noexcept {
  std::size_t sum = 0;
  for (const counters& shard : shards) {
    sum += shard.handed_out.load(std::memory_order_relaxed) -
           shard.given_back.load(std::memory_order_relaxed);
  }
  return sum;
}

fail_allocation_at::fail_allocation_at(std::size_t k, failing_threads threads,
                                       failing_times times) noexcept {
  plan = {k, times, threads == failing_threads::caller ? &here() : nullptr};
  looked_at.store(0);
  refused.store(false);
  armed.store(true, std::memory_order_release);
}

fail_allocation_at::~fail_allocation_at() {
  stop();
}

bool fail_allocation_at::reached() const noexcept {
  return refused.load();
}

void fail_allocation_at::stop() noexcept {
  armed.store(false, std::memory_order_release);
}

spare_allocations::spare_allocations() noexcept {
  ++mine.spared;
}

spare_allocations::~spare_allocations() {
  --mine.spared;
}

}  // namespace coppice::testing_support

namespace {

using coppice::testing_support::allocate;
using coppice::testing_support::allocate_or_throw;
using coppice::testing_support::deallocate;

constexpr std::size_t usual = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

constexpr std::size_t bytes(std::align_val_t alignment) noexcept {
  return static_cast<std::size_t>(alignment);
}

}  // namespace

// Clang links ThreadSanitizer's own operators in a way that forbids others beside them, unless they
// give way.
#define REPLACED
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#undef REPLACED
#define REPLACED __attribute__((weak))
#endif
#endif

REPLACED void* operator new(std::size_t size) {
  return allocate_or_throw(size, usual);
}
REPLACED void* operator new[](std::size_t size) {
  return allocate_or_throw(size, usual);
}
REPLACED void* operator new(std::size_t size, std::align_val_t a) {
  return allocate_or_throw(size, bytes(a));
}
REPLACED void* operator new[](std::size_t size, std::align_val_t a) {
  return allocate_or_throw(size, bytes(a));
}
REPLACED void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, usual);
}
REPLACED void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, usual);
}
REPLACED void* operator new(std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(size, bytes(a));
}
REPLACED void* operator new[](std::size_t size, std::align_val_t a,
                              const std::nothrow_t&) noexcept {
  return allocate(size, bytes(a));
}

REPLACED void operator delete(void* block) noexcept {
  deallocate(block);
}
REPLACED void operator delete[](void* block) noexcept {
  deallocate(block);
}
REPLACED void operator delete(void* block, std::size_t) noexcept {
  deallocate(block);
}
REPLACED void operator delete[](void* block, std::size_t) noexcept {
  deallocate(block);
}
REPLACED void operator delete(void* block, std::align_val_t) noexcept {
  deallocate(block);
}
REPLACED void operator delete[](void* block, std::align_val_t) noexcept {
  deallocate(block);
}
REPLACED void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  deallocate(block);
}
REPLACED void operator delete[](void* block, std::size_t, std::align_val_t) noexcept {
  deallocate(block);
}
REPLACED void operator delete(void* block, const std::nothrow_t&) noexcept {
  deallocate(block);
}
REPLACED void operator delete[](void* block, const std::nothrow_t&) noexcept {
  deallocate(block);
}
REPLACED void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  deallocate(block);
}
REPLACED void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  deallocate(block);
}
