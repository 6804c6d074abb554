// Tests wait_or_abort: a failure or the timeout ends the rest, a success ends nobody.
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <coppice/wait.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::count_stop;
using testing_support::fail_after;
using testing_support::fail_when_stopped;
using testing_support::give;
using testing_support::give_after;
using testing_support::report_log;
using testing_support::sleep_marked;
using testing_support::stop_slowly;
using testing_support::times_reported;

class WaitOrAbort : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, WaitOrAbort, testing::Values(1u, 2u, 4u));

using handles_of_int = std::vector<task_handle<int>>;

TEST_P(WaitOrAbort, GivesAllWhenAllHaveSucceeded) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(give_after(3ms, 1)), spawn(give_after(1ms, 2))};
    const handles_of_int done = co_await wait_or_abort(handles);
    EXPECT_THAT(done, ElementsAre(handles[0], handles[1]));
    EXPECT_EQ(done.at(0).result().get(), 1);
    EXPECT_EQ(done.at(1).result().get(), 2);
  });
  EXPECT_EQ(rt.clock().elapsed(), 3ms);
}

TEST_P(WaitOrAbort, ASuccessEndsNobody) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(give(1)), spawn(count_stop(stops, 1h, 2)),
                                 spawn(give_after(1ms, 3))};
    const handles_of_int done = co_await wait_or_abort(handles, 2h);
    EXPECT_EQ(done.size(), 3u);
  });
  EXPECT_EQ(stops.load(), 0);
  EXPECT_EQ(rt.clock().elapsed(), 1h);
}

TEST_P(WaitOrAbort, AFailureEndsTheRestAndLeavesNaked) {
  std::atomic<int> live{0};
  std::string caught;
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(stop_slowly(live, 10ms)), spawn(fail_after(5ms, "first")),
                                 spawn(sleep_marked(live))};
    try {
      co_await wait_or_abort(handles);
    } catch (const std::runtime_error& failure) {
      caught = failure.what();
    }
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(handles[0].status(), task_status::cancelled);
    EXPECT_EQ(handles[2].status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 15ms);
  });
  EXPECT_EQ(caught, "first");
}

TEST_P(WaitOrAbort, LaterFailuresAreSuppressedOnesOfTheFirst) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(fail_when_stopped("second", 1ms)),
                                 spawn(fail_after(5ms, "first")),
                                 spawn(fail_when_stopped("third", 2ms))};
    const auto end = co_await as_result(wait_or_abort(handles));
    EXPECT_EQ(end.entry().message(), "first");
    std::vector<std::string> later;
    for (const error_entry& each : end.entry().suppressed()) {
      later.push_back(each.message());
    }
    EXPECT_THAT(later, ElementsAre("second", "third"));
  });
  EXPECT_EQ(times_reported(log, "second"), 1);
  EXPECT_EQ(times_reported(log, "third"), 1);
}

TEST_P(WaitOrAbort, TheTimeoutEndsTheRestAndThrows) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(stop_slowly(live, 10ms)), spawn(give_after(1ms, 2)),
                                 spawn(sleep_marked(live))};
    duration limit_told{};
    try {
      co_await wait_or_abort(handles, 5ms);
    } catch (const timeout_error& expired) {
      limit_told = expired.limit();
    }
    EXPECT_EQ(limit_told, 5ms);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(handles[0].status(), task_status::cancelled);
    EXPECT_EQ(handles[1].status(), task_status::completed);
    EXPECT_EQ(test_clock().elapsed(), 15ms);
  });
}

TEST_P(WaitOrAbort, AFailureWinsOverTheTimeout) {
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([]() -> task<> {
    const handles_of_int handles{spawn(fail_when_stopped("of a cleanup", 1ms)),
                                 spawn(give_after(1h, 2))};
    const auto end = co_await as_result(wait_or_abort(handles, 5ms));
    EXPECT_EQ(end.entry().message(), "of a cleanup");
  });
}

TEST_P(WaitOrAbort, ACancelledTaskEndsTheRestAndIsThrown) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(count_stop(stops)), spawn(give_after(1h, 2))};
    const auto cancel_second = [&]() -> task<> {
      co_await sleep_for(2ms);
      handles[1].cancel("not wanted");
    };
    spawn(cancel_second());
    const auto end = co_await as_result(wait_or_abort(handles));
    const auto* cancelled = end.entry().get_if<task_cancelled>();
    EXPECT_TRUE(cancelled != nullptr && cancelled->id() == handles[1].id());
    EXPECT_EQ(stops.load(), 1);
    EXPECT_FALSE(cancel_requested());
  });
}

TEST_P(WaitOrAbort, SeesAFailureThatWasThereBefore) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(count_stop(stops)), spawn(fail_after(1ms, "before"))};
    co_await sleep_for(2ms);
    EXPECT_TRUE(handles[1].done());
    const auto end = co_await as_result(wait_or_abort(handles));
    EXPECT_EQ(end.entry().message(), "before");
    EXPECT_EQ(stops.load(), 1);
  });
}

TEST_P(WaitOrAbort, CancelledItEndsAllOfThemBeforeItsCallerStops) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(stop_slowly(live, 10ms)), spawn(sleep_marked(live))};
    const auto seen = co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      co_await wait_or_abort(handles);
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(handles[0].status(), task_status::cancelled);
    EXPECT_EQ(handles[1].status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 15ms);
  });
}

TEST_P(WaitOrAbort, AFailureWinsOverTheCancelOfTheCaller) {
  std::string caught;
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const handles_of_int handles{spawn(fail_when_stopped("of a cleanup"))};
    const auto seen = co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      const auto end = co_await as_result(wait_or_abort(handles));
      caught = end.entry().message();
      co_await checkpoint();
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
  });
  EXPECT_EQ(caught, "of a cleanup");
}

TEST_P(WaitOrAbort, OfNothingGivesNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const handles_of_int done = co_await wait_or_abort(handles_of_int());
    EXPECT_THAT(done, IsEmpty());
    const handles_of_int timed = co_await wait_or_abort(handles_of_int(), 5ms);
    EXPECT_THAT(timed, IsEmpty());
  });
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
}

TEST_P(WaitOrAbort, TakesHandlesOfDifferentTypes) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::vector<task_ref> handles{spawn(give_after(1ms, std::string("text"))),
                                        spawn(give_after(2ms, 1))};
    const std::vector<task_ref> done = co_await wait_or_abort(handles, 1h);
    EXPECT_EQ(done, handles);
  });
  EXPECT_EQ(rt.clock().elapsed(), 2ms);
}

}  // namespace
}  // namespace coppice
