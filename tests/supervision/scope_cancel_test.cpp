// Cancelling a scope: from everywhere, more than once, and what it does to the caller and the tree.
#include <coppice/group.h>
#include <coppice/scope.h>
#include <coppice/shield.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/failing_new.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::sleeper;

class ScopeCancel : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, ScopeCancel, testing::Values(1u, 2u, 4u));

TEST_P(ScopeCancel, A2IsStickyAndKeepsTheFirstReason) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      EXPECT_FALSE(scope.cancelled());
      scope.cancel("first");
      scope.cancel("second");
      scope.cancel({cancel_kind::shutdown, "third"});
      EXPECT_TRUE(scope.cancelled());
      EXPECT_EQ(scope.reason().message(), "first");
      EXPECT_EQ(scope.reason().kind(), cancel_kind::requested);
      co_await yield();
    });
    EXPECT_EQ(result.reason.message(), "first");
  });
}

TEST_P(ScopeCancel, A2StopsAtEveryPointForAsLongAsTheScopeIsOpen) {
  int stopped = 0;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      for (int i = 0; i != 100; ++i) {
        const outcome<> point = co_await as_result(yield());
        stopped += point.cancelled() ? 1 : 0;
      }
    });
  });
  EXPECT_EQ(stopped, 100);
}

TEST_P(ScopeCancel, A2CoversTheWholeSubtreeAtOnce) {
  std::atomic<int> stopped{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto counting = [&]() -> task<> {
      const outcome<> end = co_await as_result(sleep_for(forever));
      stopped += end.cancelled() && end.reason().message() == "all of it" ? 1 : 0;
    };
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      co_await with_group([&](task_group& outer) -> task<> {
        for (int i = 0; i != 3; ++i) {
          outer.spawn(counting);
        }
        co_await with_group([&](task_group& inner) -> task<> {
          for (int i = 0; i != 4; ++i) {
            inner.spawn(counting);
          }
          co_await sleep_for(1s);
          scope.cancel("all of it");
        });
      });
    });
    EXPECT_EQ(test_clock().elapsed(), 1s);
    EXPECT_FALSE(result.cancelled_caught) << "only children were stopped, no body";
  });
  EXPECT_EQ(stopped, 7);
}

TEST_P(ScopeCancel, A2LeavesWhatIsAboveAndBesideAlone) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      const task_handle<int> beside = group.spawn(testing_support::number_after, 2s, 8);
      const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
        scope.cancel();
        co_await sleep_for(forever);
      });
      EXPECT_TRUE(result.cancelled_caught);
      EXPECT_FALSE(group.cancelled());
      const int value = co_await beside;
      EXPECT_EQ(value, 8);
    });
  });
}

TEST_P(ScopeCancel, IsSeenInTheScopesBelow) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& above) -> task<> {
      co_await with_scope([&](cancel_scope& below) -> task<> {
        EXPECT_FALSE(below.cancelled());
        above.cancel("above");
        EXPECT_TRUE(below.cancelled()) << "requested on it or above it";
        EXPECT_EQ(below.reason().message(), "above");
        EXPECT_TRUE(cancel_requested());
        co_return;
      });
      EXPECT_TRUE(cancel_requested());
    });
    EXPECT_FALSE(cancel_requested());
  });
}

TEST_P(ScopeCancel, OfAnInnerScopeIsNotSeenAbove) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& above) -> task<> {
      co_await with_scope([&](cancel_scope& below) -> task<> {
        below.cancel();
        EXPECT_FALSE(above.cancelled());
        co_return;
      });
      EXPECT_FALSE(cancel_requested());
    });
  });
}

TEST_P(ScopeCancel, ReasonSaysWhoAndWhere) {
  task_id canceller = task_id::none;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    canceller = this_task::id();
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.cancel("named");
      co_await yield();
    });
    EXPECT_EQ(result.reason.by(), canceller);
    EXPECT_NE(result.reason.where().line, 0u);
    EXPECT_NE(std::string(result.reason.where().file).find("scope_cancel_test"), std::string::npos);
  });
}

// ---- From where ---------------------------------------------------------------------------------

TEST_P(ScopeCancel, FromAChild) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      co_await with_group([&](task_group& group) -> task<> {
        group.spawn([&]() -> task<> {
          co_await sleep_for(1s);
          scope.cancel("by a child");
        });
        co_await sleep_for(forever);
      });
    });
    EXPECT_TRUE(result.cancelled_caught);
    EXPECT_EQ(result.reason.message(), "by a child");
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

struct canceller {
  explicit canceller(scope_handle of) : handle(std::move(of)) {}
  canceller(const canceller&) = delete;
  canceller& operator=(const canceller&) = delete;
  ~canceller() { handle.cancel("by a destructor"); }
  scope_handle handle;
};

task<> ending_with_a_cancel(scope_handle of) {
  const canceller at_the_end(std::move(of));
  co_await yield();
}

TEST_P(ScopeCancel, FromADestructorOfAFrameThatEnds) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      co_await ending_with_a_cancel(scope.handle());
      co_await yield();
    });
    EXPECT_EQ(result.reason.message(), "by a destructor");
  });
}

TEST_P(ScopeCancel, FromADestructorOfAFrameThatIsStopped) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    scope_handle beside;
    const auto waiting = [&]() -> task<> {
      const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
        beside = scope.handle();
        co_await sleep_for(forever);
      });
      EXPECT_EQ(result.reason.message(), "by a destructor");
    };
    const auto cancelling = [&]() -> task<> {
      const canceller at_the_end(beside);
      co_await sleep_for(forever);
    };
    co_await with_group([&](task_group& group) -> task<> {
      const task_handle<> first = group.spawn(waiting);
      co_await sleep_for(1s);
      const task_handle<> second = group.spawn(cancelling);
      co_await sleep_for(1s);
      second.cancel("stopped");
      co_await first;
    });
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(ScopeCancel, FromADestructorOfItsOwnStoppedFrameIsANoOp) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      const canceller at_the_end(scope.handle());
      scope.cancel("first");
      co_await sleep_for(forever);
    });
    EXPECT_EQ(result.reason.message(), "first");
  });
}

TEST_P(ScopeCancel, FromAPlainThreadAndTwice) {
  scope_handle target;
  scope_result<void> result;
  test_runtime rt(workers());
  const task_handle<> main = rt.spawn([&]() -> task<> {
    result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      target = scope.handle();
      co_await sleep_for(forever);
    });
  });
  rt.run_until_blocked();
  EXPECT_FALSE(main.done());
  target.cancel("by a plain thread");
  target.cancel("again");
  rt.run_until_blocked();
  EXPECT_EQ(main.status(), task_status::completed);
  EXPECT_TRUE(result.cancelled_caught);
  EXPECT_EQ(result.reason.message(), "by a plain thread");
  EXPECT_EQ(result.reason.by(), task_id::none);
}

TEST_P(ScopeCancel, FromManyThreadsAtOnceKeepsOneReason) {
  scope_handle target;
  scope_result<void> result;
  test_runtime rt(workers());
  const task_handle<> main = rt.spawn([&]() -> task<> {
    result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      target = scope.handle();
      co_await sleep_for(forever);
    });
  });
  rt.run_until_blocked();
  {
    std::vector<std::jthread> threads;
    for (const char* const name : {"a", "b", "c", "d"}) {
      threads.emplace_back([&target, name] { target.cancel(name); });
    }
  }
  rt.run_until_blocked();
  EXPECT_EQ(main.status(), task_status::completed);
  EXPECT_EQ(result.reason.message().size(), 1u);
  EXPECT_NE(std::string("abcd").find(result.reason.message()), std::string::npos);
}

TEST_P(ScopeCancel, FromAnOnDoneCallback) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      const scope_handle own = scope.handle();
      const task_handle<> other = spawn(sleeper(1s));
      other.on_done([own] { own.cancel("by a callback"); });
      co_await sleep_for(forever);
    });
    EXPECT_EQ(result.reason.message(), "by a callback");
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

// ---- What it costs its caller -------------------------------------------------------------------

thread_local bool inside_cancel = false;

struct tells_where_it_ran {
  explicit tells_where_it_ran(std::atomic<int>& inside, std::atomic<int>& ended)
      : inside_(inside), ended_(ended) {}
  tells_where_it_ran(const tells_where_it_ran&) = delete;
  tells_where_it_ran& operator=(const tells_where_it_ran&) = delete;
  ~tells_where_it_ran() {
    inside_ += inside_cancel ? 1 : 0;
    ++ended_;
  }

 private:
  std::atomic<int>& inside_;
  std::atomic<int>& ended_;
};

TEST_P(ScopeCancel, A15RunsNoCodeOfTheCancelledOnTheCallersStack) {
  std::atomic<int> inside{0};
  std::atomic<int> ended{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto waiting = [&]() -> task<> {
      const tells_where_it_ran here(inside, ended);
      co_await sleep_for(forever);
    };
    co_await with_group([&](task_group& group) -> task<> {
      for (int i = 0; i != 50; ++i) {
        group.spawn(waiting);
      }
      co_await sleep_for(1s);
      inside_cancel = true;
      group.cancel();
      inside_cancel = false;
    });
  });
  EXPECT_EQ(ended, 50);
  EXPECT_EQ(inside, 0);
}

TEST_P(ScopeCancel, A15AllocatesNothing) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  std::size_t asked = 1;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& group) -> task<> {
      for (int i = 0; i != 50; ++i) {
        group.spawn(sleeper(forever));
      }
      co_await sleep_for(1s);
      const cancel_reason reason("made before");
      const std::size_t before = testing_support::thread_allocations();
      group.cancel(reason);
      group.handle().cancel(reason);
      asked = testing_support::thread_allocations() - before;
    });
  });
  EXPECT_EQ(asked, 0u);
}

TEST(ScopeCancelOnly, A15IsNoexceptInEveryForm) {
  static_assert(noexcept(std::declval<cancel_scope&>().cancel(std::declval<cancel_reason>())));
  static_assert(
      noexcept(std::declval<const scope_handle&>().cancel(std::declval<cancel_reason>())));
  static_assert(noexcept(std::declval<const scope_handle&>().request_shutdown()));

  SUCCEED();
}

}  // namespace
}  // namespace coppice
