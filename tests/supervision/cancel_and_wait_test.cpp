// Tests cancel_and_wait, cancel_all and follow_through: ending tasks through their handles.
#include <coppice/awaiter.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <coppice/wait.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::count_stop;
using testing_support::end_after;
using testing_support::fail_after;
using testing_support::fail_when_stopped;
using testing_support::give;
using testing_support::give_after;
using testing_support::move_only;
using testing_support::report_log;
using testing_support::sleep_marked;
using testing_support::stop_slowly;
using testing_support::times_reported;

class CancelAndWait : public testing_support::with_workers {};
class CancelAll : public testing_support::with_workers {};
class FollowThrough : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, CancelAndWait, testing::Values(1u, 2u, 4u));
INSTANTIATE_TEST_SUITE_P(Workers, CancelAll, testing::Values(1u, 2u, 4u));
INSTANTIATE_TEST_SUITE_P(Workers, FollowThrough, testing::Values(1u, 2u, 4u));

// ---- cancel_and_wait ----------------------------------------------------------------------------

TEST_P(CancelAndWait, ReturnsWhenTheTaskHasEndedAndItsFrameIsGone) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<int> handle = spawn(stop_slowly(live, 10ms));
    co_await sleep_for(1ms);
    EXPECT_EQ(live.load(), 1);
    co_await cancel_and_wait(handle);
    EXPECT_EQ(handle.status(), task_status::cancelled);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 11ms);
  });
}

TEST_P(CancelAndWait, GivesTheReason) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<> handle = spawn(end_after(1h));
    co_await cancel_and_wait(handle, "no more");
    EXPECT_EQ(handle.result().reason().message(), "no more");
    EXPECT_EQ(handle.result().reason().kind(), cancel_kind::requested);
  });
}

TEST_P(CancelAndWait, EndsATaskThatHasNotRunYet) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await cancel_and_wait(spawn(sleep_marked(live)));
    EXPECT_EQ(live.load(), 0);
  });
}

TEST_P(CancelAndWait, DoesNothingToATaskThatIsDone) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> handle = spawn(give(3));
    co_await handle;
    co_await cancel_and_wait(handle);
    EXPECT_EQ(handle.result().get(), 3);
  });
}

TEST_P(CancelAndWait, LetsAValueBeTheTasksEnd) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto insist = []() -> task<int> {
      (void)co_await as_result(sleep_for(1h));
      co_return 7;
    };
    const task_handle<int> handle = spawn(insist());
    co_await sleep_for(1ms);
    co_await cancel_and_wait(handle);
    EXPECT_EQ(handle.result().get(), 7);
  });
}

TEST_P(CancelAndWait, ThrowsNothingOfTheTask) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    const task_handle<int> failing = spawn(fail_when_stopped("of a cleanup"));
    co_await sleep_for(1ms);
    co_await cancel_and_wait(failing);
    EXPECT_EQ(failing.status(), task_status::failed);
    const task_handle<int> failed = spawn(fail_after(1ms, "before"));
    co_await sleep_for(2ms);
    co_await cancel_and_wait(failed);
  });
  EXPECT_EQ(times_reported(log, "of a cleanup"), 1);
  EXPECT_EQ(times_reported(log, "before"), 1);
}

TEST_P(CancelAndWait, KeepsWaitingWhenItsCallerIsCancelledAndThenStops) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<int> handle = spawn(stop_slowly(live, 10ms));
    co_await sleep_for(1ms);
    const auto seen = co_await with_scope({.timeout = 2ms}, [&]() -> task<> {
      co_await cancel_and_wait(handle);
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_TRUE(handle.done());
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 11ms);
  });
}

TEST_P(CancelAndWait, MayBeCalledBySeveralAtOnce) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<int> handle = spawn(stop_slowly(live, 10ms));
    co_await sleep_for(1ms);
    co_await gather(cancel_and_wait(handle, "one"), cancel_and_wait(handle, "other"));
    EXPECT_EQ(handle.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 11ms);
  });
}

TEST_P(CancelAndWait, RefusesAnEmptyHandle) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> { EXPECT_THROW(co_await cancel_and_wait(task_ref()), usage_error); });
}

TEST_P(CancelAndWait, OfATaskAboveTheCallerIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<> above;
    const auto inner = [&above]() -> task<> {
      EXPECT_THROW(co_await cancel_and_wait(above), usage_error);
      const std::vector<task_ref> those(1, above);
      EXPECT_THROW(co_await cancel_all(those), usage_error);
      EXPECT_FALSE(cancel_requested());
    };
    above = spawn([&]() -> task<> {
      co_await yield();
      co_await with_group([&](task_group& group) -> task<> {
        group.spawn(inner);
        co_return;
      });
    });
    co_await above;
    EXPECT_EQ(above.status(), task_status::completed);
  });
}

// An operation that ends when the test says so, though it has been asked to stop.
struct slow_operation {
  using value_type = int;

  void start(completion<int> given) { done = std::move(given); }
  void cancel() noexcept { cancels.fetch_add(1); }

  completion<int> done;
  std::atomic<int> cancels{0};
};

TEST_P(CancelAndWait, WaitsForAnOperationThatTakesItsTime) {
  slow_operation slow;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto performing = [&]() -> task<int> { co_return co_await perform(slow); };
    const task_handle<int> handle = spawn(performing());
    co_await sleep_for(1ms);
    const auto finish = [&]() -> task<> {
      co_await sleep_for(5ms);
      EXPECT_EQ(slow.cancels.load(), 1);
      EXPECT_FALSE(handle.done());
      completion<int> last = std::move(slow.done);
      last.complete(4);
    };
    spawn(finish());
    co_await cancel_and_wait(handle);
    EXPECT_EQ(handle.result().get(), 4);  // What has completed is delivered.
    EXPECT_EQ(test_clock().elapsed(), 6ms);
  });
}

// ---- cancel_all ---------------------------------------------------------------------------------

TEST_P(CancelAll, EndsAllAtOnce) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<int>> handles;
    for (int i = 1; i != 6; ++i) {
      handles.push_back(spawn(stop_slowly(live, i * 1ms)));
    }
    co_await sleep_for(1ms);
    co_await cancel_all(handles, "all of you");
    EXPECT_EQ(live.load(), 0);
    for (const task_handle<int>& each : handles) {
      EXPECT_EQ(each.status(), task_status::cancelled);
      EXPECT_EQ(each.result().reason().message(), "all of you");
    }
    EXPECT_EQ(test_clock().elapsed(), 6ms);
  });
}

TEST_P(CancelAll, TakesHandlesOfDifferentTypesAndEnds) {
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([]() -> task<> {
    const std::vector<task_ref> handles{spawn(give(1)), spawn(end_after(1h)),
                                        spawn(fail_after(1ms, "before"))};
    co_await sleep_for(2ms);
    co_await cancel_all(handles);
    EXPECT_EQ(handles[0].status(), task_status::completed);
    EXPECT_EQ(handles[1].status(), task_status::cancelled);
    EXPECT_EQ(handles[2].status(), task_status::failed);
  });
}

TEST_P(CancelAll, OfNothingReturns) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> { co_await cancel_all(std::vector<task_ref>()); });
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
}

TEST_P(CancelAll, KeepsWaitingWhenItsCallerIsCancelledAndThenStops) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<task_handle<int>> handles{spawn(stop_slowly(live, 10ms)),
                                                spawn(stop_slowly(live, 20ms))};
    co_await sleep_for(1ms);
    const auto seen = co_await with_scope({.timeout = 2ms}, [&]() -> task<> {
      co_await cancel_all(handles);
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 21ms);
  });
}

// ---- follow_through -----------------------------------------------------------------------------

TEST_P(FollowThrough, GivesTheValue) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> handle = spawn(give_after(1ms, 3));
    EXPECT_EQ(co_await follow_through(handle), 3);
    co_await follow_through(spawn(end_after(1ms)));
  });
}

TEST_P(FollowThrough, MovesAValueThatCannotBeCopied) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const move_only value = co_await follow_through(spawn(give_after(1ms, move_only(3))));
    EXPECT_EQ(value.number(), 3);
  });
}

TEST_P(FollowThrough, ThrowsTheFailure) {
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await follow_through(spawn(fail_after(1ms, "it failed"))), std::runtime_error);
  });
}

TEST_P(FollowThrough, ThrowsTaskCancelledIfTheTaskWasCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<> handle = spawn(end_after(1h));
    handle.cancel();
    EXPECT_THROW(co_await follow_through(handle), task_cancelled);
    EXPECT_FALSE(cancel_requested());
  });
}

TEST_P(FollowThrough, TakesTheTaskAlongWhenItsCallerIsCancelled) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<int> handle = spawn(stop_slowly(live, 10ms));
    const auto seen = co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      co_await follow_through(handle);
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(handle.status(), task_status::cancelled);
    EXPECT_EQ(live.load(), 0);
    EXPECT_EQ(test_clock().elapsed(), 15ms);
  });
}

TEST_P(FollowThrough, IsNotWhatAPlainAwaitDoes) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<int> handle = spawn(count_stop(stops, 20ms, 5));
    co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      co_await handle;
      ADD_FAILURE() << "went on";
    });
    EXPECT_EQ(test_clock().elapsed(), 5ms);
    EXPECT_EQ(co_await handle, 5);
  });
  EXPECT_EQ(stops.load(), 0);
}

TEST_P(FollowThrough, ShowsAFailureOfTheTaskThatItTookAlong) {
  std::string caught;
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const task_handle<int> handle = spawn(fail_when_stopped("of a cleanup"));
    co_await with_scope({.timeout = 5ms}, [&]() -> task<> {
      const auto end = co_await as_result(follow_through(handle));
      caught = end.entry().message();
    });
  });
  EXPECT_EQ(caught, "of a cleanup");
}

}  // namespace
}  // namespace coppice
