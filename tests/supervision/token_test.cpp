// Tokens of scopes and tasks: level, sticky, counted; and cancel_requested.
#include <coppice/cancel.h>
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::sleeper;

class Token : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, Token, testing::Values(1u, 2u, 4u));

TEST_P(Token, A2OfAScopeSeesItsRequestForEver) {
  cancel_token kept;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      kept = scope.token();
      const cancel_token of_handle = scope.handle().token();
      EXPECT_TRUE(kept.stop_possible());
      EXPECT_FALSE(kept.stop_requested());
      EXPECT_FALSE(of_handle.stop_requested());
      scope.cancel("first");
      scope.cancel("second");
      EXPECT_TRUE(kept.stop_requested());
      EXPECT_TRUE(of_handle.stop_requested());
      EXPECT_EQ(kept.reason().message(), "first");
      co_return;
    });
    EXPECT_TRUE(kept.stop_requested()) << "the scope has exited";
  });
  EXPECT_TRUE(kept.stop_requested());
  EXPECT_EQ(kept.reason().message(), "first");
}

TEST_P(Token, TakenAfterTheRequestSeesItToo) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.cancel("before");
      EXPECT_TRUE(scope.token().stop_requested());
      EXPECT_EQ(scope.token().reason().message(), "before");
      co_return;
    });
  });
}

TEST_P(Token, SeesRequestsAboveItsScope) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& above) -> task<> {
      co_await with_scope([&](cancel_scope& scope) -> task<> {
        const cancel_token before = scope.token();
        const cancel_token of_task = this_task::token();
        above.cancel("above");
        EXPECT_TRUE(before.stop_requested());
        EXPECT_TRUE(of_task.stop_requested());
        EXPECT_TRUE(scope.token().stop_requested());
        EXPECT_EQ(before.reason().message(), "above");
        co_return;
      });
    });
  });
}

TEST_P(Token, OfAnOuterScopeSeesNothingOfAnInnerOnesRequest) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& above) -> task<> {
      const cancel_token outer = above.token();
      co_await with_scope([&](cancel_scope& scope) -> task<> {
        scope.cancel();
        EXPECT_TRUE(this_task::token().stop_requested());
        co_return;
      });
      EXPECT_FALSE(outer.stop_requested());
      EXPECT_FALSE(this_task::token().stop_requested());
    });
  });
}

TEST_P(Token, OfTheTaskSeesTheInnermostScopeAndAllAboveUpToAShield) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& above) -> task<> {
      co_await shield([&]() -> task<> {
        const cancel_token below = this_task::token();
        above.cancel("above");
        EXPECT_FALSE(below.stop_requested());
        EXPECT_FALSE(cancel_requested());
        co_await with_scope([](cancel_scope& scope) -> task<> {
          const cancel_token own = this_task::token();
          scope.cancel("own");
          EXPECT_TRUE(own.stop_requested());
          EXPECT_EQ(own.reason().message(), "own");
          co_return;
        });
        EXPECT_FALSE(below.stop_requested());
      });
      EXPECT_TRUE(cancel_requested());
    });
  });
}

TEST_P(Token, OfAHandleSeesTheTasksRequest) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<> child = spawn(sleeper(forever));
    const cancel_token token = child.token();
    EXPECT_FALSE(token.stop_requested());
    co_await sleep_for(1s);
    child.cancel("that one");
    EXPECT_TRUE(token.stop_requested());
    EXPECT_EQ(token.reason().message(), "that one");
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_TRUE(token.stop_requested());
  });
}

TEST_P(Token, A15CancelAfterTheExitIsNotSeen) {
  cancel_token token;
  scope_handle handle;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      token = scope.token();
      handle = scope.handle();
      co_return;
    });
    handle.cancel("too late");
    EXPECT_FALSE(token.stop_requested());
  });
  EXPECT_FALSE(token.stop_requested());
}

TEST_P(Token, IsSeenByCodeOnAPlainThread) {
  std::promise<cancel_token> given;
  std::string why;
  scope_handle scope_to_cancel;
  test_runtime rt(workers());
  const task_handle<> main = rt.spawn([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope_to_cancel = scope.handle();
      given.set_value(scope.token());
      co_await sleep_for(forever);
    });
  });
  rt.run_until_blocked();
  std::jthread polling([&] {
    const cancel_token token = given.get_future().get();
    while (!token.stop_requested()) {
      std::this_thread::yield();
    }
    why = token.reason().message();
  });
  scope_to_cancel.cancel("poll ends");
  polling.join();
  EXPECT_EQ(why, "poll ends");
  rt.run_until_blocked();
  EXPECT_TRUE(main.done());
}

TEST_P(Token, A17AComputingTaskThatAsksEndsSoon) {
  scope_handle target;
  std::promise<void> begun;
  test_runtime rt(workers());
  const task_handle<int> main = rt.spawn([&]() -> task<int> {
    const scope_result<int> result = co_await with_scope([&](cancel_scope& scope) -> task<int> {
      target = scope.handle();
      begun.set_value();
      while (!cancel_requested()) {
        std::this_thread::yield();
      }
      co_return 5;
    });
    co_return result.value.value_or(0);
  });
  begun.get_future().wait();
  target.cancel();
  rt.run_until_blocked();
  EXPECT_EQ(main.status(), task_status::completed);
  EXPECT_EQ(main.result().value_or(0), 5) << "asking delivers nothing";
}

TEST(TokenOnly, CancelRequestedOutsideATaskIsFalse) {
  EXPECT_FALSE(cancel_requested());
}

TEST(TokenOnly, ThisTasksTokenOutsideATaskIsAUsageError) {
  EXPECT_THROW((void)this_task::token(), usage_error);
}

}  // namespace
}  // namespace coppice
