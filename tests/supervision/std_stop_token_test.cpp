// std::stop_token: one given out by a token of a scope, and one bound into a scope.
#include <coppice/cancel.h>
#include <coppice/group.h>
#include <coppice/shield.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <stop_token>
#include <thread>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

class StdStopToken : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, StdStopToken, testing::Values(1u, 2u, 4u));

// ---- Out ----------------------------------------------------------------------------------------

thread_local bool inside_cancel = false;

TEST_P(StdStopToken, RunsItsCallbacksOnAWorkerNeverInsideCancel) {
  std::promise<bool> inside;
  std::promise<std::thread::id> ran_on;
  scope_handle target;
  std::stop_token foreign;
  test_runtime rt(workers());
  const task_handle<> main = rt.spawn([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      target = scope.handle();
      foreign = scope.token().to_std_stop_token();
      co_await sleep_for(forever);
    });
  });
  rt.run_until_blocked();
  EXPECT_TRUE(foreign.stop_possible());
  EXPECT_FALSE(foreign.stop_requested());
  const std::stop_callback called(foreign, [&] {
    inside.set_value(inside_cancel);
    ran_on.set_value(std::this_thread::get_id());
  });
  inside_cancel = true;
  target.cancel();
  inside_cancel = false;
  EXPECT_NE(ran_on.get_future().get(), std::this_thread::get_id());
  EXPECT_FALSE(inside.get_future().get());
  EXPECT_TRUE(foreign.stop_requested());
  rt.run_until_blocked();
  EXPECT_TRUE(main.done());
}

TEST_P(StdStopToken, SeesACancelFromAbove) {
  std::promise<void> seen;
  scope_handle target;
  std::stop_token foreign;
  test_runtime rt(workers());
  const task_handle<> main = rt.spawn([&]() -> task<> {
    co_await with_scope([&](cancel_scope& above) -> task<> {
      target = above.handle();
      co_await with_group([&](task_group& group) -> task<> {
        foreign = group.token().to_std_stop_token();
        co_await sleep_for(forever);
      });
    });
  });
  rt.run_until_blocked();
  const std::stop_callback called(foreign, [&] { seen.set_value(); });
  target.cancel();
  seen.get_future().wait();
  rt.run_until_blocked();
  EXPECT_TRUE(main.done());
}

TEST_P(StdStopToken, IsNotCalledOnTheStackOfATaskThatCancels) {
  std::atomic<int> inside{0};
  std::atomic<int> called{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto count = [&] {
      inside += inside_cancel ? 1 : 0;
      ++called;
    };
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      const std::stop_callback callback(scope.token().to_std_stop_token(), std::ref(count));
      inside_cancel = true;
      scope.cancel();
      inside_cancel = false;
      co_await shield(sleep_for(1s));
      EXPECT_EQ(called, 1);
    });
  });
  EXPECT_EQ(inside, 0);
}

TEST_P(StdStopToken, MadeAfterTheRequestIsStopped) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.cancel();
      EXPECT_TRUE(scope.token().to_std_stop_token().stop_requested());
      co_return;
    });
  });
}

TEST_P(StdStopToken, OutlivesItsScope) {
  std::stop_token foreign;
  bool called = false;
  {
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      co_await with_scope([&](cancel_scope& scope) -> task<> {
        foreign = scope.token().to_std_stop_token();
        co_return;
      });
    });
  }
  const std::stop_callback callback(foreign, [&] { called = true; });
  EXPECT_FALSE(foreign.stop_requested());
  EXPECT_FALSE(called);
}

// ---- In -----------------------------------------------------------------------------------------

TEST_P(StdStopToken, BoundInAStopThereCancelsTheScope) {
  std::stop_source source;
  scope_result<void> result;
  test_runtime rt(workers());
  const task_handle<> main = rt.spawn([&]() -> task<> {
    result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.bind(source.get_token());
      co_await sleep_for(forever);
    });
  });
  rt.run_until_blocked();
  EXPECT_FALSE(main.done());
  source.request_stop();
  rt.run_until_blocked();
  EXPECT_TRUE(main.done());
  EXPECT_TRUE(result.cancelled_caught);
  EXPECT_EQ(result.reason.kind(), cancel_kind::requested);
}

TEST_P(StdStopToken, BoundInAfterItsStopItCancelsAtOnce) {
  std::stop_source source;
  source.request_stop();
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.bind(source.get_token());
      EXPECT_TRUE(scope.cancelled());
      co_await yield();
    });
    EXPECT_TRUE(result.cancelled_caught);
  });
}

TEST_P(StdStopToken, BoundInEndsWithTheScope) {
  std::stop_source source;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.bind(source.get_token());
      co_await yield();
    });
    EXPECT_TRUE(result);
    const scope_result<void> next = co_await with_scope([&]() -> task<> {
      source.request_stop();
      co_await yield();
    });
    EXPECT_TRUE(next) << "a scope that may lie where the bound one lay";
    co_await checkpoint();
  });
}

TEST_P(StdStopToken, BoundInMayBeSeveralAndEachCancels) {
  for (const std::size_t stopping : {std::size_t{0}, std::size_t{1}}) {
    std::vector<std::stop_source> sources(2);
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
        scope.bind(sources[0].get_token());
        scope.bind(sources[1].get_token());
        sources[stopping].request_stop();
        co_await yield();
      });
      EXPECT_TRUE(result.cancelled_caught);
    });
  }
}

TEST_P(StdStopToken, BoundInOneThatCanNeverStopDoesNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.bind(std::stop_token());
      co_await yield();
    });
    EXPECT_TRUE(result);
  });
}

TEST_P(StdStopToken, BindByAnotherTaskIsAUsageError) {
  std::stop_source source;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& group) -> task<> {
      const task_handle<> child = group.spawn([&]() -> task<> {
        EXPECT_THROW(group.bind(source.get_token()), usage_error);
        co_return;
      });
      co_await child;
    });
  });
}

}  // namespace
}  // namespace coppice
