// The counting malloc.
#include "bench/support/allocations.h"

#include <cstddef>

namespace bench {
namespace {

constinit thread_local std::uint64_t asked = 0;

void count_one() noexcept {
  ++asked;
}

}  // namespace

std::uint64_t allocations_here() noexcept {
  return asked;
}

}  // namespace bench

extern "C" {

void* __libc_malloc(std::size_t bytes) noexcept;
void* __libc_calloc(std::size_t count, std::size_t bytes) noexcept;
void* __libc_realloc(void* old, std::size_t bytes) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t bytes) noexcept;

void* malloc(std::size_t bytes) noexcept {
  bench::count_one();
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) noexcept {
  bench::count_one();
  return __libc_calloc(count, bytes);
}

void* realloc(void* old, std::size_t bytes) noexcept {
  bench::count_one();
  return __libc_realloc(old, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  bench::count_one();
  return __libc_memalign(alignment, bytes);
}

}  // extern "C"
