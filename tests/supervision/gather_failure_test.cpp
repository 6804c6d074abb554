// Tests how gather ends when something in it fails.
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

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::count_stop;
using testing_support::end_after;
using testing_support::fail_after;
using testing_support::fail_at_once;
using testing_support::fail_when_stopped;
using testing_support::give;
using testing_support::give_after;
using testing_support::messages_of;
using testing_support::report_log;
using testing_support::stop_slowly;
using testing_support::times_reported;
using testing_support::very_long;

class GatherFailure : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, GatherFailure, testing::Values(1u, 2u, 4u));

struct odd_failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

task<> throw_odd() {
  co_await sleep_for(1ms);
  throw odd_failure("odd");
}

TEST_P(GatherFailure, LeavesNaked) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::string caught;
    try {
      co_await gather(end_after(2ms), throw_odd());
    } catch (const odd_failure& failure) {
      caught = failure.what();
    }
    EXPECT_EQ(caught, "odd");
  });
}

TEST_P(GatherFailure, OfTheOnlyOneLeavesNaked) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> { EXPECT_THROW(co_await gather(throw_odd()), odd_failure); });
}

TEST_P(GatherFailure, OfOneThatNeverSuspendsLeavesNaked) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    const auto end = co_await as_result(gather(fail_at_once("only"), give(1)));
    EXPECT_EQ(end.entry().message(), "only");
    EXPECT_THAT(end.entry().suppressed(), IsEmpty());
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(GatherFailure, CancelsTheRest) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto end =
        co_await as_result(gather(count_stop(stops), fail_after(5ms, "first"), count_stop(stops)));
    EXPECT_EQ(end.entry().message(), "first");
    EXPECT_EQ(stops.load(), 2);
  });
  EXPECT_EQ(rt.clock().elapsed(), 5ms);
}

TEST_P(GatherFailure, WaitsUntilTheFramesOfTheRestAreGone) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto end = co_await as_result(
        gather(stop_slowly(live, 10ms), fail_after(5ms, "first"), stop_slowly(live, 20ms)));
    EXPECT_TRUE(end.failed());
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 25ms);
  });
}

TEST_P(GatherFailure, LeavesAloneWhatHasEnded) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto end = co_await as_result(gather(count_stop(stops, 1ms), fail_after(5ms, "first")));
    EXPECT_TRUE(end.failed());
    EXPECT_EQ(stops.load(), 0);
  });
}

task<int> tell_reason(cancel_reason& seen) {
  const outcome<> end = co_await as_result(sleep_for(very_long));
  seen = end.reason();
  co_await stop();
  co_return 0;
}

TEST_P(GatherFailure, IsTheReasonOfTheRest) {
  cancel_reason seen("none yet");
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto end = co_await as_result(gather(tell_reason(seen), fail_after(1ms, "first")));
    EXPECT_TRUE(end.failed());
  });
  EXPECT_EQ(seen.kind(), cancel_kind::sibling_failed);
}

TEST_P(GatherFailure, DoesNotCancelTheCaller) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await gather(throw_odd(), end_after(1h)), odd_failure);
    EXPECT_FALSE(cancel_requested());
    co_await checkpoint();
    co_await sleep_for(1ms);
  });
  EXPECT_EQ(rt.clock().elapsed(), 2ms);
}

TEST_P(GatherFailure, LaterOnesAreSuppressedOnesOfTheFirst) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    const auto end =
        co_await as_result(gather(fail_when_stopped("second", 1ms), fail_after(5ms, "first"),
                                  fail_when_stopped("third", 2ms)));
    EXPECT_EQ(end.entry().message(), "first");
    std::vector<std::string> later;
    for (const error_entry& each : end.entry().suppressed()) {
      later.push_back(each.message());
    }
    EXPECT_THAT(later, ElementsAre("second", "third"));
  });
}

TEST_P(GatherFailure, LaterOnesAreReportedOnce) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    EXPECT_THROW(co_await gather(fail_when_stopped("second", 1ms), throw_odd(),
                                 fail_when_stopped("third", 2ms)),
                 odd_failure);
    EXPECT_EQ(log.size(), 2u);  // Before the gather goes on.
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("second", "third"));
}

TEST_P(GatherFailure, LaterOnesSayWhyTheyWereBeingCancelled) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await gather(fail_when_stopped("second"), throw_odd()), odd_failure);
  });
  const std::vector<error_report> reports = log.take();
  EXPECT_EQ(reports.size(), 1u);
  for (const error_report& each : reports) {
    const cancel_reason* context = each.entry.context();
    EXPECT_TRUE(context != nullptr && context->kind() == cancel_kind::sibling_failed);
  }
}

TEST_P(GatherFailure, TheFirstHasNoContext) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto end = co_await as_result(gather(fail_after(1ms, "first"), end_after(1h)));
    EXPECT_EQ(end.entry().context(), nullptr);
  });
}

TEST_P(GatherFailure, OfTwoAtOneTimeOneLeavesAndOneIsReported) {
  report_log log;
  std::string left;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto end = co_await as_result(gather(fail_after(3ms, "a"), fail_after(3ms, "b")));
    left = end.entry().message();
  });
  EXPECT_TRUE(left == "a" || left == "b");
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed),
              ElementsAre(left == "a" ? "b" : "a"));
}

TEST_P(GatherFailure, GoesToTheNearestHandler) {
  report_log near;
  report_log far;
  test_runtime rt(workers());
  rt.set_error_handler(far.handler());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.on_error(near.handler());
      EXPECT_THROW(co_await gather(fail_when_stopped("second"), throw_odd()), odd_failure);
    });
  });
  EXPECT_THAT(near.messages(), ElementsAre("second"));
  EXPECT_EQ(far.size(), 0u);
}

TEST_P(GatherFailure, PassesThroughOuterGathersAsItIs) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    EXPECT_THROW(co_await gather(gather(throw_odd(), count_stop(stops)), count_stop(stops)),
                 odd_failure);
    EXPECT_EQ(stops.load(), 2);
  });
}

TEST_P(GatherFailure, CanBeHandledInsideAnOuterGather) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto caught = []() -> task<int> {
      try {
        co_await gather(throw_odd(), end_after(1h));
      } catch (const odd_failure&) {
        co_return 1;
      }
      co_return 0;
    };
    auto [a, b] = co_await gather(caught(), give_after(5ms, 2));
    EXPECT_EQ(a, 1);
    EXPECT_EQ(b, 2);
  });
}

task<> throw_fatal_when_stopped() {
  (void)co_await as_result(sleep_for(very_long));
  throw fatal_error("fatal");
}

TEST_P(GatherFailure, AFatalOneWinsOverTheFirst) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await gather(throw_odd(), throw_fatal_when_stopped()), fatal_error);
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("odd"));
}

TEST_P(GatherFailure, OfATaskIsThrownFromItsHandle) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const task_handle<> failing = spawn(throw_odd);
    EXPECT_THROW(co_await gather(count_stop(stops), failing), odd_failure);
    EXPECT_EQ(stops.load(), 1);
  });
}

TEST_P(GatherFailure, EndsTheTasksBehindHandles) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<int> other = spawn(stop_slowly(live, 3ms));
    EXPECT_THROW(co_await gather(other, throw_odd()), odd_failure);
    EXPECT_EQ(other.status(), task_status::cancelled);
    EXPECT_EQ(live.load(), 0);
  });
}

TEST_P(GatherFailure, ACancelledHandleEndsTheRest) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> other = spawn(end_after(1h));
    const auto cancel_other = [&]() -> task<> {
      co_await sleep_for(2ms);
      other.cancel("not wanted");
    };
    spawn(cancel_other());
    const auto end = co_await as_result(gather(count_stop(stops), other));
    EXPECT_EQ(stops.load(), 1);
    EXPECT_TRUE(end.failed());  // The caller itself is not cancelled.
    const auto* cancelled = end.entry().get_if<task_cancelled>();
    EXPECT_TRUE(cancelled != nullptr && cancelled->id() == other.id() &&
                cancelled->reason().message() == "not wanted");
    EXPECT_EQ(test_clock().elapsed(), 2ms);
  });
}

TEST_P(GatherFailure, SpawnedTasksThatFailAreReportedOnce) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    const task_handle<int> second = spawn(fail_when_stopped("second"));
    EXPECT_THROW(co_await gather(second, throw_odd()), odd_failure);
  });
  EXPECT_EQ(times_reported(log, "second"), 1);
}

}  // namespace
}  // namespace coppice
