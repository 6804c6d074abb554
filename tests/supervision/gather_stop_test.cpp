// Tests how gather ends when its caller is cancelled.
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::count_run;
using testing_support::count_stop;
using testing_support::end_after;
using testing_support::fail_when_stopped;
using testing_support::give;
using testing_support::give_after;
using testing_support::sleep_marked;
using testing_support::stop_slowly;

class GatherStop : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, GatherStop, testing::Values(1u, 2u, 4u));

TEST_P(GatherStop, IsSeenOnEntryBeforeAnythingRuns) {
  std::atomic<int> runs{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await gather(count_run(runs), count_run(runs));
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(runs.load(), 0);
  });
}

TEST_P(GatherStop, DestroysWhatNeverRan) {
  const auto owned = std::make_shared<int>(0);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await gather(give(owned), give(owned));
    });
    EXPECT_EQ(owned.use_count(), 1);
  });
}

TEST_P(GatherStop, StopsTheCallerBehindItsChildren) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      co_await gather(stop_slowly(live, 10ms), sleep_marked(live), stop_slowly(live, 20ms));
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 25ms);
  });
}

TEST_P(GatherStop, StopsTheCallerThoughSomeHaveGivenTheirValues) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 5ms}, []() -> task<> {
      co_await gather(give(1), give_after(1ms, 2), give_after(1h, 3));
      ADD_FAILURE() << "went on without a value";
    });
    EXPECT_TRUE(seen.cancelled_caught);
  });
}

TEST_P(GatherStop, LetsValuesThatAreReadyBeDelivered) {
  bool delivered = false;
  bool went_on = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      const auto cancel_and_give = [&scope]() -> task<int> {
        scope.cancel();
        co_return 2;
      };
      auto [a, b] = co_await gather(give(1), cancel_and_give());
      delivered = a == 1 && b == 2;
      co_await checkpoint();
      went_on = true;
    });
    EXPECT_TRUE(seen.cancelled_caught);
  });
  EXPECT_TRUE(delivered);
  EXPECT_FALSE(went_on);
}

TEST_P(GatherStop, YieldsToAFailure) {
  std::string caught;
  bool went_on = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      try {
        co_await gather(fail_when_stopped("of a cleanup"), end_after(1h));
      } catch (const std::runtime_error& failure) {
        caught = failure.what();
      }
      co_await checkpoint();
      went_on = true;
    });
    EXPECT_TRUE(seen.cancelled_caught);
  });
  EXPECT_EQ(caught, "of a cleanup");
  EXPECT_FALSE(went_on);
}

TEST_P(GatherStop, IsTheContextOfAFailure) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope({.timeout = 5ms}, []() -> task<> {
      const auto end = co_await as_result(gather(fail_when_stopped("of a cleanup")));
      EXPECT_TRUE(end.failed());
      EXPECT_NE(end.entry().context(), nullptr);
    });
  });
}

TEST_P(GatherStop, ByATimeoutThrowsBehindTheChildren) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    EXPECT_THROW(co_await with_timeout(5ms, gather(stop_slowly(live, 10ms), sleep_marked(live))),
                 timeout_error);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 15ms);
  });
}

TEST_P(GatherStop, DoesNotReachBelowAShield) {
  int sum = 0;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      auto [a, b] = co_await shield(gather(give_after(10ms, 1), give_after(20ms, 2)));
      sum = a + b;
      co_await checkpoint();
      sum = 0;
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(test_clock().elapsed(), 20ms);
  });
  EXPECT_EQ(sum, 3);
}

TEST_P(GatherStop, OfTheTaskReachesAllOfIt) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto deep = [&]() -> task<> {
      co_await gather(gather(count_stop(stops), count_stop(stops)),
                      with_scope([&]() -> task<> { co_await gather(count_stop(stops)); }));
    };
    const task_handle<> handle = spawn(deep());
    co_await sleep_for(1ms);
    handle.cancel("enough");
    EXPECT_THROW(co_await handle, task_cancelled);
    EXPECT_EQ(stops.load(), 3);
  });
}

}  // namespace
}  // namespace coppice
