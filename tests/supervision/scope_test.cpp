// with_scope: its results and names, where stops and failures end, and handles that outlive it.
#include <coppice/scope.h>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::number;
using testing_support::texts;
using testing_support::trace;

class Scope : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, Scope, testing::Values(1u, 2u, 4u));

TEST_P(Scope, GivesTheValueOfItsBody) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<int> result =
        co_await with_scope([](cancel_scope&) -> task<int> { co_return 3; });
    EXPECT_TRUE(result);
    EXPECT_EQ(result.value, 3);
    EXPECT_FALSE(result.cancelled_caught);
    EXPECT_FALSE(result.expired);
  });
}

TEST_P(Scope, TakesABodyWithoutParameters) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<int> result = co_await with_scope([]() -> task<int> { co_return 4; });
    EXPECT_EQ(result.value, 4);
    const scope_result<int> named =
        co_await with_scope({.name = "named"}, []() -> task<int> { co_return 5; });
    EXPECT_EQ(named.value, 5);
  });
}

TEST_P(Scope, OfAVoidBodySaysWhetherItEnded) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> ended = co_await with_scope([]() -> task<> { co_await yield(); });
    EXPECT_TRUE(ended);
    EXPECT_FALSE(ended.cancelled_caught);
  });
}

TEST_P(Scope, MovesAValueThatCannotBeCopied) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    scope_result<std::unique_ptr<int>> result =
        co_await with_scope([](cancel_scope&) -> task<std::unique_ptr<int>> {
          co_await yield();
          co_return std::make_unique<int>(5);
        });
    EXPECT_TRUE(result.value.has_value() && **result.value == 5);
  });
}

TEST_P(Scope, UsesANamedBodyByReference) {
  struct counting_body {
    int calls = 0;
    task<> operator()(cancel_scope&) {
      ++calls;
      co_await yield();
    }
  };
  counting_body body;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope(body);
    co_await with_scope(body);
  });
  EXPECT_EQ(body.calls, 2);
}

TEST_P(Scope, DoesNothingIfItIsNotAwaited) {
  bool ran = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    auto body = [&]() -> task<> {
      ran = true;
      co_return;
    };
    {
      auto dropped = with_scope(body);
    }
    co_await yield();
  });
  EXPECT_FALSE(ran);
}

TEST_P(Scope, LetsAFailureOfItsBodyPassNaked) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await with_scope([]() -> task<> {
                   co_await yield();
                   throw std::invalid_argument("naked");
                 }),
                 std::invalid_argument);
  });
}

TEST_P(Scope, A6ThrowsAFailureThoughItIsCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await with_scope([](cancel_scope& scope) -> task<> {
                   scope.cancel();
                   throw std::invalid_argument("counts");
                   co_return;
                 }),
                 std::invalid_argument);
  });
}

TEST_P(Scope, A5AbsorbsItsOwnCancel) {
  bool behind_the_point = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<int> result = co_await with_scope([&](cancel_scope& scope) -> task<int> {
      scope.cancel("enough");
      co_await yield();
      behind_the_point = true;
      co_return 1;
    });
    EXPECT_FALSE(result);
    EXPECT_FALSE(result.value.has_value());
    EXPECT_TRUE(result.cancelled_caught);
    EXPECT_FALSE(result.expired);
    EXPECT_EQ(result.reason.message(), "enough");
    EXPECT_EQ(result.reason.kind(), cancel_kind::requested);
    EXPECT_FALSE(cancel_requested());
    co_await checkpoint();  // The host was never asked to stop.
  });
  EXPECT_FALSE(behind_the_point);
}

TEST_P(Scope, A5LetsACancelFromAboveGoThrough) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> outer = co_await with_scope([&](cancel_scope& above) -> task<> {
      co_await with_scope([&](cancel_scope&) -> task<> {
        above.cancel("from above");
        co_await yield();
        events.add("behind the point");
      });
      events.add("behind the inner scope");
    });
    EXPECT_TRUE(outer.cancelled_caught);
    EXPECT_EQ(outer.reason.message(), "from above");
  });
  EXPECT_EQ(events.said(), texts{});
}

TEST_P(Scope, A5AndA20StopsItsHostIfBothAreCancelled) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> outer = co_await with_scope([&](cancel_scope& above) -> task<> {
      co_await with_scope([&](cancel_scope& own) -> task<> {
        own.cancel("own");
        above.cancel("from above");
        co_await yield();
      });
      events.add("behind the inner scope");
    });
    EXPECT_EQ(outer.reason.message(), "from above");
  });
  EXPECT_EQ(events.said(), texts{});
}

TEST_P(Scope, A5StopsItsTaskAtTheRootIfNobodyAbsorbs) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn([&]() -> task<> {
      co_await with_scope([&]() -> task<> { co_await sleep_for(forever); });
      events.add("behind the scope");
    });
    co_await sleep_for(1s);
    child.cancel("whole task");
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(child.result().reason().message(), "whole task");
  });
  EXPECT_EQ(events.said(), texts{});
}

TEST_P(Scope, ThatWasCancelledGivesTheValueOfABodyThatEndedAllTheSame) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<int> result = co_await with_scope([](cancel_scope& scope) -> task<int> {
      scope.cancel();
      co_return 6;
    });
    EXPECT_EQ(result.value, 6);
    EXPECT_FALSE(result.cancelled_caught) << "nothing was stopped, so nothing was absorbed";
    co_await checkpoint();
  });
}

TEST_P(Scope, A20OfACancelledHostGivesItsValueAndTheNextPointStops) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& above) -> task<> {
      const scope_result<int> inner = co_await with_scope([&]() -> task<int> {
        above.cancel();
        co_return 2;
      });
      events.add("value " + std::to_string(inner.value.value_or(0)));
      co_await checkpoint();
      events.add("behind the point");
    });
  });
  EXPECT_EQ(events.said(), texts{"value 2"});
}

TEST_P(Scope, A3OpensAndClosesInACancelledHost) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& above) -> task<> {
      above.cancel();
      co_await with_scope([&]() -> task<> {
        events.add("body");
        co_return;
      });
      events.add("behind");
    });
  });
  EXPECT_EQ(events.said(), (texts{"body", "behind"}));
}

TEST_P(Scope, SaysItsNameInEveryForm) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope({.name = "outer"}, [](cancel_scope&) -> task<> {
      co_await with_scope({.name = "inner"}, [](cancel_scope& scope) -> task<> {
        EXPECT_EQ(scope.name(), "inner");
        EXPECT_EQ(scope.handle().name(), "inner");
        EXPECT_EQ(current_scope().name(), "inner");
        const std::vector<std::string_view> names = this_task::scopes();
        EXPECT_GE(names.size(), 2u);
        EXPECT_TRUE(names.size() >= 2 && names[0] == "inner" && names[1] == "outer");
        co_return;
      });
      EXPECT_EQ(current_scope().name(), "outer");
    });
  });
}

TEST_P(Scope, CurrentScopeIsTheInnermostAndCanBeCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> outer = co_await with_scope([]() -> task<> {
      const scope_result<void> inner = co_await with_scope([]() -> task<> {
        current_scope().cancel("the inner one");
        co_await yield();
      });
      EXPECT_TRUE(inner.cancelled_caught);
      EXPECT_EQ(inner.reason.message(), "the inner one");
      co_await yield();
    });
    EXPECT_FALSE(outer.cancelled_caught);
  });
}

TEST(ScopeOnly, CurrentScopeOutsideATaskIsAUsageError) {
  EXPECT_THROW((void)current_scope(), usage_error);
}

TEST(ScopeOnly, IsNeitherCopiedNorMoved) {
  static_assert(!std::is_copy_constructible_v<cancel_scope>);
  static_assert(!std::is_move_constructible_v<cancel_scope>);
  static_assert(std::is_copy_constructible_v<scope_handle>);
  static_assert(std::is_nothrow_default_constructible_v<scope_handle>);
  SUCCEED();
}

// ---- Handles ------------------------------------------------------------------------------------

TEST(ScopeHandle, AnEmptyOneIsClosedAndIgnoresRequests) {
  const scope_handle empty;
  EXPECT_FALSE(empty);
  EXPECT_TRUE(empty.closed());
  EXPECT_EQ(empty.name(), "");
  EXPECT_FALSE(empty.token().stop_requested());
  empty.cancel("nobody");
  empty.request_shutdown();
}

TEST_P(Scope, HandleSaysWhenTheScopeHasExited) {
  scope_handle kept;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      kept = scope.handle();
      EXPECT_TRUE(kept);
      EXPECT_FALSE(kept.closed());
      co_await yield();
      EXPECT_FALSE(kept.closed());
    });
    EXPECT_TRUE(kept.closed());
    EXPECT_TRUE(kept) << "it still refers to the scope that was";
  });
}

TEST_P(Scope, A15CancelThroughAHandleAfterTheExitIsANoOp) {
  scope_handle kept;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<int> result = co_await with_scope([&](cancel_scope& scope) -> task<int> {
      kept = scope.handle();
      co_return 1;
    });
    kept.cancel("too late");
    kept.request_shutdown();
    EXPECT_EQ(result.value, 1);
    co_await checkpoint();
    const scope_result<void> next = co_await with_scope([]() -> task<> { co_await checkpoint(); });
    EXPECT_TRUE(next) << "a scope that may lie where the other one lay";
    kept.cancel("still too late");
    co_await checkpoint();
  });
  kept.cancel("from outside");
}

TEST(ScopeHandle, OutlivesTheRuntime) {
  scope_handle kept;
  {
    test_runtime rt;
    rt.block_on([&]() -> task<> {
      co_await with_scope({.name = "gone"}, [&](cancel_scope& scope) -> task<> {
        kept = scope.handle();
        co_return;
      });
    });
  }
  const scope_handle copy = kept;
  copy.cancel("nobody is there");
  EXPECT_TRUE(copy.closed());
}

TEST_P(Scope, HandleCancelsLikeTheScopeItself) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      const scope_handle copy = scope.handle();
      copy.cancel("by handle");
      EXPECT_TRUE(scope.cancelled());
      EXPECT_EQ(scope.reason().message(), "by handle");
      co_await yield();
    });
    EXPECT_EQ(result.reason.message(), "by handle");
  });
}

TEST_P(Scope, HandleRequestsShutdownAsACancelOfThatKind) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.handle().request_shutdown();
      co_await yield();
    });
    EXPECT_TRUE(result.cancelled_caught);
    EXPECT_EQ(result.reason.kind(), cancel_kind::shutdown);
  });
}

TEST_P(Scope, HandleOfAPlainScopeSpawnsNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& scope) -> task<> {
      const scope_handle plain = scope.handle();
      scope_handle spawning = plain;
      EXPECT_THROW(spawning.spawn(number(1)), usage_error);
      co_return;
    });
  });
}

}  // namespace
}  // namespace coppice
