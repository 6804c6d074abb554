#include <coppice/detail/scope_run.h>
#include <coppice/scope.h>
#include <coppice/shield.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace coppice {
namespace {

using namespace std::chrono_literals;

TEST(ScopeRun, MovedBeforeTheAwaitRunsItsBodyOnce) {
  test_runtime rt;
  int times = 0;
  rt.block_on([&]() -> task<> {
    auto body = [&times]() -> task<int> { co_return ++times; };
    auto first = with_scope(body);
    auto second = std::move(first);
    const auto result = co_await std::move(second);
    EXPECT_EQ(*result.value, 1);
  });
  EXPECT_EQ(times, 1);
}

TEST(ScopeRun, NeverAwaitedDoesNothing) {
  int times = 0;
  auto body = [&times]() -> task<> {
    ++times;
    co_return;
  };
  {
    auto unused = with_scope(body);
  }
  EXPECT_EQ(times, 0);
}

TEST(ScopeRun, WhatMakesTheBodyMayThrow) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    const auto body = [](cancel_scope&) -> task<int> { throw std::runtime_error("no body"); };
    EXPECT_THROW(co_await with_scope(body), std::runtime_error);
    EXPECT_TRUE(this_task::scopes().empty());
  });
}

TEST(ScopeRun, AFailureWhileTheScopeIsCancelledKnowsWhy) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    const task_handle<> failing = spawn([]() -> task<> {
      const auto body = [](cancel_scope& scope) -> task<> {
        scope.cancel("enough");
        (void)co_await as_result(sleep_for(1h));
        throw std::runtime_error("of a cleanup");
      };
      co_await with_scope(body);
    });
    const outcome<> end = co_await as_result(failing);
    EXPECT_TRUE(end.failed());
    const cancel_reason* const why = failing.result().entry().context();
    EXPECT_TRUE(why != nullptr && why->message() == "enough");
  });
}

}  // namespace
}  // namespace coppice
