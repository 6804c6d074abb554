// Tests as_completed_or_abort: values as they come, and an end at the first failure or the timeout.
#include <coppice/as_completed.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::count_stop;
using testing_support::fail_after;
using testing_support::fail_when_stopped;
using testing_support::give;
using testing_support::give_after;
using testing_support::messages_of;
using testing_support::report_log;
using testing_support::sleep_marked;
using testing_support::stop_slowly;

class AsCompletedOrAbort : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, AsCompletedOrAbort, testing::Values(1u, 2u, 4u));

TEST_P(AsCompletedOrAbort, GivesValuesInTheOrderOfTheirEnds) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    for (int i = 0; i != 4; ++i) {
      tasks.push_back(give_after((4 - i) * 1ms, i));
    }
    std::vector<int> values;
    std::vector<std::size_t> places;
    co_await as_completed_or_abort(tasks, [&](completions<int>& c) -> task<> {
      while (auto next = co_await c.next()) {
        values.push_back(next->get());
        places.push_back(next->index);
      }
    });
    EXPECT_THAT(values, ElementsAre(3, 2, 1, 0));
    EXPECT_THAT(places, ElementsAre(3u, 2u, 1u, 0u));
  });
}

TEST_P(AsCompletedOrAbort, ThrowsTheFirstFailureWhereTheNextIsAskedFor) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(stop_slowly(live, 10ms));
    tasks.push_back(fail_after(2ms, "first"));
    tasks.push_back(give_after(1ms, 7));
    std::string caught;
    co_await as_completed_or_abort(tasks, [&](completions<int>& c) -> task<> {
      const auto value = co_await c.next();
      EXPECT_EQ(value->get(), 7);
      try {
        co_await c.next();
      } catch (const std::runtime_error& failure) {
        caught = failure.what();
      }
      EXPECT_EQ(live.load(), 0);  // The rest are gone before it is thrown.
      EXPECT_EQ(test_clock().elapsed(), 12ms);
    });
    EXPECT_EQ(caught, "first");
  });
}

TEST_P(AsCompletedOrAbort, LetsTheFailureLeaveNaked) {
  std::atomic<int> stops{0};
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(count_stop(stops));
    tasks.push_back(fail_after(1ms, "first"));
    const auto body = [](completions<int>& c) -> task<> {
      while (auto next = co_await c.next()) {
        ADD_FAILURE() << "was given one";
      }
    };
    const auto end = co_await as_result(as_completed_or_abort(tasks, body));
    EXPECT_EQ(end.entry().message(), "first");
    EXPECT_EQ(stops.load(), 1);
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(AsCompletedOrAbort, LaterFailuresAreReported) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(fail_when_stopped("second"));
    tasks.push_back(fail_after(1ms, "first"));
    const auto body = [](completions<int>& c) -> task<> { co_await c.next(); };
    const auto end = co_await as_result(as_completed_or_abort(tasks, body));
    EXPECT_EQ(end.entry().message(), "first");
    EXPECT_EQ(end.entry().suppressed().size(), 1u);
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("second"));
}

TEST_P(AsCompletedOrAbort, GivesTheValuesThatCameBeforeTheFailure) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(give_after(1ms, 1));
    tasks.push_back(give_after(2ms, 2));
    tasks.push_back(fail_after(3ms, "first"));
    std::vector<int> values;
    const auto body = [&](completions<int>& c) -> task<> {
      while (auto next = co_await c.next()) {
        values.push_back(next->get());
      }
    };
    EXPECT_THROW(co_await as_completed_or_abort(tasks, body), std::runtime_error);
    EXPECT_THAT(values, ElementsAre(1, 2));
  });
}

TEST_P(AsCompletedOrAbort, ThrowsTaskCancelledForACancelledHandle) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<int>> handles{spawn(count_stop(stops)), spawn(give_after(1h, 2))};
    co_await sleep_for(1ms);
    handles[1].cancel("not wanted");
    const auto body = [](completions<int>& c) -> task<> { co_await c.next(); };
    EXPECT_THROW(co_await as_completed_or_abort(handles, body), task_cancelled);
    EXPECT_EQ(stops.load(), 1);
    EXPECT_FALSE(cancel_requested());
  });
}

TEST_P(AsCompletedOrAbort, ThrowsAtTheTimeoutWhenTheRestAreGone) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(stop_slowly(live, 10ms));
    tasks.push_back(give_after(1ms, 7));
    std::vector<int> values;
    const auto body = [&](completions<int>& c) -> task<> {
      while (auto next = co_await c.next()) {
        values.push_back(next->get());
      }
    };
    EXPECT_THROW(co_await as_completed_or_abort(5ms, tasks, body), timeout_error);
    EXPECT_THAT(values, ElementsAre(7));
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 15ms);
  });
}

TEST_P(AsCompletedOrAbort, ThrowsTheTimeoutWhereTheNextIsAskedFor) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(give_after(1h, 1));
    bool expired = false;
    co_await as_completed_or_abort(5ms, tasks, [&](completions<int>& c) -> task<> {
      try {
        co_await c.next();
      } catch (const timeout_error& error) {
        expired = error.limit() == 5ms;
      }
    });
    EXPECT_TRUE(expired);
  });
}

TEST_P(AsCompletedOrAbort, AFailureWinsOverTheTimeout) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(fail_when_stopped("of a cleanup", 1ms));
    const auto body = [](completions<int>& c) -> task<> { co_await c.next(); };
    const auto end = co_await as_result(as_completed_or_abort(5ms, tasks, body));
    EXPECT_EQ(end.entry().message(), "of a cleanup");
  });
}

TEST_P(AsCompletedOrAbort, ThatEndsInTimeThrowsNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(give_after(1ms, 1));
    tasks.push_back(give(2));
    const auto body = [](completions<int>& c) -> task<int> {
      int total = 0;
      while (auto next = co_await c.next()) {
        total += next->get();
      }
      co_return total;
    };
    const int sum = co_await as_completed_or_abort(5ms, tasks, body);
    EXPECT_EQ(sum, 3);
  });
  EXPECT_EQ(rt.clock().elapsed(), 1ms);
}

TEST_P(AsCompletedOrAbort, LeftEarlyEndsTheRestWithoutAThrow) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(stop_slowly(live, 10ms));
    tasks.push_back(give_after(1ms, 7));
    const auto body = [](completions<int>& c) -> task<int> {
      auto next = co_await c.next();
      co_return next->get();
    };
    const int first = co_await as_completed_or_abort(1h, tasks, body);
    EXPECT_EQ(first, 7);
    EXPECT_EQ(live.load(), 0);
  });
  EXPECT_EQ(rt.clock().elapsed(), 11ms);
}

TEST_P(AsCompletedOrAbort, OfNothingRunsItsBody) {
  bool ran = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await as_completed_or_abort(5ms, std::vector<task<int>>(),
                                   [&](completions<int>& c) -> task<> {
                                     const auto none = co_await c.next();
                                     EXPECT_FALSE(none.has_value());
                                     ran = true;
                                   });
  });
  EXPECT_TRUE(ran);
}

TEST_P(AsCompletedOrAbort, StopsWithItsCaller) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 1ms}, [&]() -> task<> {
      std::vector<task<int>> tasks;
      tasks.push_back(sleep_marked(live));
      co_await as_completed_or_abort(1h, tasks, [](completions<int>& c) -> task<> {
        co_await c.next();
        ADD_FAILURE() << "was given one";
      });
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
  });
}

}  // namespace
}  // namespace coppice
