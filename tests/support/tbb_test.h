// What tests of oneTBB's loops in tasks share.
#pragma once

#include <coppice/runtime.h>
#include <coppice/tbb.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <thread>

#include "tests/support/sanitizers.h"

namespace coppice::testing_support {

// Why a test that runs a loop on several threads is left out under ThreadSanitizer.
inline constexpr const char* tbb_is_not_instrumented =
    "oneTBB's library is not compiled for it, which takes each hand-over for a race";

using indices = tbb::blocked_range<std::size_t>;

// Real time: nobody waits for a clock in these.
class tbb_test : public testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    if (testing_support::under_thread_sanitizer && GetParam() != 1) {
      GTEST_SKIP() << tbb_is_not_instrumented;
    }
  }

  // Calls it with each partitioner there is.
  template <class F>
  void with_each_partitioner(const F& f) {
    f(tbb::auto_partitioner());
    f(tbb::simple_partitioner());
    f(tbb::static_partitioner());
    tbb::affinity_partitioner remembers;
    f(remembers);
    f(remembers);
  }

  runtime rt_{options{.threads = GetParam()}};
};

// By other threads, soon.
template <class Condition>
void wait_until(const Condition& holds) {
  while (!holds()) {
    std::this_thread::yield();
  }
}

inline std::uint64_t sum_to(std::uint64_t n) {
  return n * (n - 1) / 2;
}

}  // namespace coppice::testing_support
