// How often memory is asked for: operator new, and what an exception lies in, come from malloc too.
//
// Of a program that has allocations.cpp among its sources: its malloc counts, and glibc's does the work.
#pragma once

#include <cstdint>

namespace bench {

// By the calling thread, so far.
std::uint64_t allocations_here() noexcept;

}  // namespace bench
