// Deadlines pass while every worker computes, as long as one asks whether it is to stop.
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>

namespace coppice {
namespace {

using namespace std::chrono_literals;

// Real time; virtual time stands still while somebody computes.
class BusyDeadline : public testing::TestWithParam<unsigned> {
 protected:
  runtime rt_{options{.threads = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Workers, BusyDeadline, testing::Values(1u, 2u, 4u));

task<> compute_until_asked() {
  while (!cancel_requested()) {
  }
  co_await checkpoint();
  ADD_FAILURE() << "went on";
}

TEST_P(BusyDeadline, OfAScope) {
  rt_.block_on([]() -> task<> {
    for (int i = 0; i != 20; ++i) {
      const bool finished = co_await move_on_after(1ms, compute_until_asked());
      EXPECT_FALSE(finished);
    }
    EXPECT_THROW(co_await with_timeout(1ms, compute_until_asked()), timeout_error);
  });
}

TEST_P(BusyDeadline, OfATask) {
  rt_.block_on([]() -> task<> {
    const task_handle<> busy = spawn({.timeout = 1ms}, compute_until_asked());
    const outcome<> ended = co_await as_result(busy);
    EXPECT_TRUE(ended.failed());
    EXPECT_THROW(std::rethrow_exception(ended.error()), timeout_error);
  });
}

TEST_P(BusyDeadline, OfAShield) {
  rt_.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await shield(1ms, compute_until_asked());
    });
  });
}

// The host's worker computes as well, so that nobody waits for the deadline.
TEST_P(BusyDeadline, OfMoreTasksThanThereAreWorkers) {
  rt_.block_on([]() -> task<> {
    const auto all_compute = [](task_group& group) -> task<> {
      for (int i = 0; i != 10; ++i) {
        group.spawn(compute_until_asked());
      }
      co_await compute_until_asked();
    };
    const bool finished = co_await move_on_after(5ms, with_group(all_compute));
    EXPECT_FALSE(finished);
  });
}

TEST_P(BusyDeadline, OfWhoLooksAtHisTokenOnly) {
  if (GetParam() == 1) {
    GTEST_SKIP() << "two compute at a time";
  }
  rt_.block_on([]() -> task<> {
    const auto look_at_token = []() -> task<> {
      const cancel_token mine = this_task::token();
      while (!mine.stop_requested()) {
      }
      co_await checkpoint();
    };
    const task_handle<> busy = spawn({.timeout = 1ms}, look_at_token());
    while (!busy.done()) {
      EXPECT_FALSE(cancel_requested());
    }
    co_await as_result(busy);
  });
}

TEST_P(BusyDeadline, ThatIsFarMakesNobodyStop) {
  rt_.block_on([]() -> task<> {
    const auto compute = []() -> task<int> {
      int asked = 0;
      for (int i = 0; i != 100'000; ++i) {
        asked += cancel_requested() ? 1 : 0;
      }
      co_return asked;
    };
    EXPECT_EQ(co_await with_timeout(1h, compute()), 0);
  });
}

}  // namespace
}  // namespace coppice
