// What keeps the optimizer out of the functions that are measured.
#pragma once

// A function that is called, never inlined, cloned or reasoned about: without it a recursion is
// unrolled into itself, and clang puts the frames of children into their parents'.
#if defined(__clang__)
#define BENCH_OPAQUE [[gnu::noinline]]
#else
#define BENCH_OPAQUE [[gnu::noipa]]
#endif

namespace bench {

// Makes the optimizer forget what it knows of a value: that it is the result of the call before, for
// example, which would make a loop of a recursion.
template <class T>
inline void forget(T& value) noexcept {
  asm volatile("" : "+r"(value));
}

}  // namespace bench
