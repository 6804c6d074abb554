// on_cancel runs only for a stop and on_error only for a failure, each told of what it was.
#include <coppice/cleanup.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::failing;

class OnCancel : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, OnCancel, testing::Values(1u, 2u, 4u));

using events = std::vector<std::string>;

enum class ending { value, failure, stop };

// Registers one of each kind, in the order exit, cancel, error.
task<> end_by(ending how, events& order) {
  co_await on_exit([&order] { order.emplace_back("exit"); });
  co_await on_cancel(
      [&order](cancel_reason why) { order.push_back("cancel: " + std::string(why.message())); });
  co_await on_error(
      [&order](const error_entry& what) { order.push_back("error: " + what.message()); });
  if (how == ending::failure) {
    co_await failing("bad");
  }
  if (how == ending::stop) {
    this_task::ref().cancel("not wanted");
    co_await checkpoint();
  }
}

events order_of(ending how, unsigned workers) {
  events order;
  test_runtime rt{{.workers = workers}};
  rt.set_error_handler([](const error_report&) {});  // Whether it hears of failures is a race.
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn(end_by(how, order));
    (void)co_await as_result(child);
  });
  return order;
}

TEST_P(OnCancel, AValueRunsNeitherOfTheTwo) {
  EXPECT_THAT(order_of(ending::value, GetParam()), ElementsAre("exit"));
}

TEST_P(OnCancel, AFailureRunsOnErrorAndTellsWhich) {
  EXPECT_THAT(order_of(ending::failure, GetParam()), ElementsAre("error: bad", "exit"));
}

TEST_P(OnCancel, AStopRunsOnCancelAndTellsWhy) {
  EXPECT_THAT(order_of(ending::stop, GetParam()), ElementsAre("cancel: not wanted", "exit"));
}

TEST_P(OnCancel, BothMayAwaitAndNeedNoArgument) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_cancel([&]() -> task<> {
        co_await sleep_for(1s);
        order.emplace_back("cancelled");
      });
      co_await on_error([&]() -> task<> {
        co_await sleep_for(1s);
        order.emplace_back("failed");
      });
      co_await sleep_for(1h);
      co_await failing("bad");
    };
    const task_handle<> first = spawn(work);
    co_await sleep_for(1s);
    first.cancel();
    EXPECT_THROW(co_await first, task_cancelled);
    EXPECT_EQ(test_clock().elapsed(), 2s);
    const task_handle<> second = spawn(work);
    EXPECT_THROW(co_await second, std::runtime_error);
  });
  EXPECT_THAT(order, ElementsAre("cancelled", "failed"));
}

TEST_P(OnCancel, AStopThatTheCoroutineItselfAbsorbsIsNone) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_cancel([&] { order.emplace_back("cancelled"); });
      co_await with_scope([](cancel_scope& scope) -> task<> {
        scope.cancel();
        co_await checkpoint();
      });
      order.emplace_back("went on");
    };
    co_await work();
  });
  EXPECT_THAT(order, ElementsAre("went on"));
}

TEST_P(OnCancel, AFailureInPlaceOfTheStopCountsAsFailure) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_cancel([&] { order.emplace_back("cancelled"); });
      co_await on_error([&] { order.emplace_back("failed"); });
      co_await testing_support::fail_when_stopped("in cleanup");
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, std::runtime_error);
  });
  EXPECT_THAT(order, ElementsAre("failed"));
}

}  // namespace
}  // namespace coppice
