// What the tests of virtual time share: executors with 1, 2 and 4 workers.
#pragma once

#include <coppice/detail/standstill.h>
#include <gtest/gtest.h>

#include "executor/executor_state.h"
#include "tests/support/accounting.h"

namespace coppice::testing_support {

// Long enough that a test fails by its time limit if it counts on it.
inline constexpr duration long_patience = std::chrono::hours(1);

class standstill_test : public accounted_test, public testing::WithParamInterface<unsigned> {
 protected:
  static options workers() { return {.threads = GetParam()}; }

  static detail::standstill& still(const executor& of) { return *detail::standstill_of(of); }

  static duration elapsed(const executor& of) {
    return of.time_now() - detail::time_source::beginning;
  }
};

}  // namespace coppice::testing_support
