// What does it cost to get memory for a frame, and to free it, here and on another worker?
#include <coppice/detail/frame_cache.h>

#include <cstdlib>
#include <cstring>
#include <semaphore>
#include <thread>

#include "bench/executor/row.h"
#include "bench/support/opaque.h"

namespace bench::executor_suite {
namespace {

using coppice::detail::frame_cache;

constexpr std::size_t frame_bytes = 192;  // Of a small coroutine with a fork in it.

// The first write to a frame follows at once, and counts.
void* touched(void* frame, std::size_t with) noexcept {
  std::memcpy(frame, &with, sizeof with);
  forget(frame);
  return frame;
}

struct from_cache {
  frame_cache& cache;
  void* get() const { return cache.allocate(frame_bytes); }
  void give(void* frame) const noexcept { cache.deallocate(frame, frame_bytes); }
};

struct from_malloc {
  void* get() const noexcept { return std::malloc(frame_bytes); }
  void give(void* frame) const noexcept { std::free(frame); }
};

class cache_owner {
 public:
  cache_owner() : cache_(frame_cache::acquire()) {}
  cache_owner(const cache_owner&) = delete;
  cache_owner& operator=(const cache_owner&) = delete;
  ~cache_owner() { frame_cache::release(cache_); }
  frame_cache& operator*() const noexcept { return cache_; }

 private:
  frame_cache& cache_;
};

// The pattern of a fork: as deep as a recursion, then back.
constexpr std::size_t depth = 16;

template <class Memory>
double ns_here(const Memory& memory, std::size_t rounds) {
  void* frames[depth];
  std::size_t wrong = 0;
  const auto begun = clock::now();
  for (std::size_t round = 0; round != rounds; ++round) {
    for (std::size_t i = 0; i != depth; ++i) {
      frames[i] = touched(memory.get(), i);
    }
    for (std::size_t i = depth; i != 0; --i) {
      std::size_t found = 0;
      std::memcpy(&found, frames[i - 1], sizeof found);
      wrong += found != i - 1 ? 1 : 0;
      memory.give(frames[i - 1]);
    }
  }
  const double ns = ns_since(begun);
  require(wrong == 0, "two frames in the same place");
  return ns / static_cast<double>(rounds * depth);
}

numbers here(const setting& at) {
  const cache_owner own;
  const std::size_t rounds = at.scaled(1'000'000);
  ns_here(from_cache{*own}, rounds / 10);
  return numbers(ns_here(from_cache{*own}, rounds));
}

numbers here_malloc(const setting& at) {
  const std::size_t rounds = at.scaled(1'000'000);
  ns_here(from_malloc{}, rounds / 10);
  return numbers(ns_here(from_malloc{}, rounds));
}

// One thread makes a thousand frames, the other frees them, in turn: what one does to the other's
// caches is there, what they do to each other by running at once is not.
template <class Memory, class OtherMemory>
numbers freed_elsewhere(const Memory& maker, const OtherMemory& freer, std::size_t rounds) {
  constexpr std::size_t count = 1000;
  std::vector<void*> frames(count);
  std::binary_semaphore made(0);
  std::binary_semaphore freed(0);
  double free_ns = 0;
  std::size_t wrong = 0;
  std::thread other([&] {
    for (std::size_t round = 0; round != rounds; ++round) {
      made.acquire();
      const auto begun = clock::now();
      for (std::size_t i = 0; i != count; ++i) {
        std::size_t found = 0;
        std::memcpy(&found, frames[i], sizeof found);
        wrong += found != i ? 1 : 0;
        freer.give(frames[i]);
      }
      free_ns += ns_since(begun);
      freed.release();
    }
  });
  double make_ns = 0;
  for (std::size_t round = 0; round != rounds; ++round) {
    const auto begun = clock::now();
    for (std::size_t i = 0; i != count; ++i) {
      frames[i] = touched(maker.get(), i);
    }
    make_ns += ns_since(begun);
    made.release();
    freed.acquire();
  }
  other.join();
  require(wrong == 0, "two frames in the same place");
  const auto frames_made = static_cast<double>(rounds * count);
  return numbers((make_ns + free_ns) / frames_made)
      .add("ns_allocate", make_ns / frames_made)
      .add("ns_free", free_ns / frames_made);
}

numbers elsewhere(const setting& at) {
  const cache_owner maker;
  const cache_owner freer;
  return freed_elsewhere(from_cache{*maker}, from_cache{*freer}, at.scaled(2'000));
}

numbers elsewhere_malloc(const setting& at) {
  return freed_elsewhere(from_malloc{}, from_malloc{}, at.scaled(2'000));
}

constexpr row rows[] = {
    {"frame/freed_here/coppice", 1, &here},
    {"frame/freed_here/malloc", 1, &here_malloc},
    {"frame/freed_elsewhere/coppice", 2, &elsewhere},
    {"frame/freed_elsewhere/malloc", 2, &elsewhere_malloc},
};

}  // namespace

std::span<const row> frame_rows() noexcept {
  return rows;
}

}  // namespace bench::executor_suite
