// What a group does with a task that it does not take: cancelled, exited, or full.
#include <coppice/group.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::number;
using testing_support::sleeper;

class GroupRefusal : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, GroupRefusal, testing::Values(1u, 2u, 4u));

task<int> reading(std::shared_ptr<int> what) {
  co_return *what;
}

TEST_P(GroupRefusal, A11OnACancelledGroupSpawnGivesACancelledHandle) {
  bool ran = false;
  std::weak_ptr<int> argument;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&](std::shared_ptr<int>) -> task<> {
      ran = true;
      co_return;
    };
    co_await with_group([&](task_group& group) -> task<> {
      auto owned = std::make_shared<int>(1);
      argument = owned;
      group.cancel("closed for today");
      const task_handle<> handle = group.spawn(child, std::move(owned));
      EXPECT_TRUE(handle.done());
      EXPECT_EQ(handle.status(), task_status::cancelled);
      EXPECT_EQ(handle.result().reason().message(), "closed for today");
      EXPECT_TRUE(argument.expired()) << "the arguments are destroyed";
      EXPECT_NE(handle.id(), task_id::none);
      co_return;
    });
  });
  EXPECT_FALSE(ran);
}

TEST_P(GroupRefusal, A11OnAGroupCancelledFromAboveLikewise) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& above) -> task<> {
      co_await with_group([&](task_group& group) -> task<> {
        above.cancel("above");
        const task_handle<int> handle = group.spawn(number(1));
        EXPECT_EQ(handle.status(), task_status::cancelled);
        EXPECT_EQ(group.size(), 0u);
        co_return;
      });
    });
  });
}

TEST_P(GroupRefusal, A11ImmediateDoesNotRunOnACancelledGroup) {
  bool ran = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      ran = true;
      co_return;
    };
    co_await with_group([&](task_group& group) -> task<> {
      group.cancel();
      const task_handle<> handle = group.spawn({.start = start_mode::immediate}, child);
      EXPECT_TRUE(handle.done());
      co_return;
    });
  });
  EXPECT_FALSE(ran);
}

TEST_P(GroupRefusal, A11AfterTheExitSpawnThrowsScopeClosed) {
  scope_handle kept;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& group) -> task<> {
      kept = group.handle();
      co_return;
    });
    EXPECT_THROW(kept.spawn(number(1)), scope_closed);
    EXPECT_THROW(kept.spawn(number, 1), scope_closed);
  });
  EXPECT_THROW(kept.spawn(number(1)), scope_closed) << "and from a plain thread";
}

TEST_P(GroupRefusal, A11AfterTheExitOfACancelledGroupItThrowsToo) {
  scope_handle kept;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& group) -> task<> {
      kept = group.handle();
      group.cancel();
      co_return;
    });
    EXPECT_THROW(kept.spawn(number(1)), scope_closed);
  });
}

TEST_P(GroupRefusal, SpawnThatThrowsLeavesATaskWithItsCaller) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    scope_handle kept;
    co_await with_group([&](task_group& group) -> task<> {
      kept = group.handle();
      co_return;
    });
    task<int> mine = reading(std::make_shared<int>(5));
    EXPECT_THROW(kept.spawn(std::move(mine)), scope_closed);
    EXPECT_TRUE(static_cast<bool>(mine));
    const int value = co_await std::move(mine);
    EXPECT_EQ(value, 5);
  });
}

TEST_P(GroupRefusal, A11OverTheLimitSpawnThrowsUntilAChildHasEnded) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group({.max_children = 2}, [](task_group& group) -> task<> {
      group.spawn(sleeper(1s));
      group.spawn(sleeper(3s));
      task<int> third = number(3);
      EXPECT_THROW(group.spawn(std::move(third)), resource_exhausted);
      EXPECT_TRUE(static_cast<bool>(third)) << "nothing was started";
      EXPECT_EQ(group.size(), 2u);
      co_await sleep_for(2s);
      const int value = co_await group.spawn(std::move(third));
      EXPECT_EQ(value, 3);
    });
  });
}

TEST_P(GroupRefusal, ALimitOfNoneRefusesEveryChild) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group({.max_children = 0}, [](task_group& group) -> task<> {
      EXPECT_THROW(group.spawn(number(1)), resource_exhausted);
      co_return;
    });
  });
}

// ---- try_spawn ----------------------------------------------------------------------------------

TEST_P(GroupRefusal, TrySpawnStartsAsSpawnDoes) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      std::optional<task_handle<int>> first = group.try_spawn(number(1));
      std::optional<task_handle<int>> second = group.try_spawn(number, 2);
      std::optional<task_handle<int>> third = group.try_spawn({.name = "third"}, number(3));
      std::optional<task_handle<int>> fourth = group.try_spawn({.name = "fourth"}, number, 4);
      EXPECT_TRUE(first && second && third && fourth);
      EXPECT_EQ(third->name(), "third");
      int sum = co_await *first;
      sum += co_await *second;
      sum += co_await *third;
      sum += co_await *fourth;
      EXPECT_EQ(sum, 10);
    });
  });
}

TEST_P(GroupRefusal, A11TrySpawnOnACancelledGroupIsEmptyAndTheTaskUntouched) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      group.cancel();
      task<int> mine = number(6);
      EXPECT_FALSE(group.try_spawn(std::move(mine)).has_value());
      EXPECT_FALSE(group.try_spawn({.name = "again"}, std::move(mine)).has_value());
      EXPECT_TRUE(static_cast<bool>(mine));
      const int value = co_await std::move(mine);  // Inline: no cancellation point.
      EXPECT_EQ(value, 6);
    });
  });
}

TEST_P(GroupRefusal, A11TrySpawnLeavesCallableAndArgumentsUntouched) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      group.cancel();
      auto argument = std::make_shared<int>(1);
      auto owned = std::make_shared<int>(2);
      auto child = [owned](std::shared_ptr<int> other) -> task<int> { co_return *owned + *other; };
      EXPECT_FALSE(group.try_spawn(std::move(child), std::move(argument)).has_value());
      EXPECT_TRUE(argument != nullptr);
      const int sum = co_await child(argument);
      EXPECT_EQ(sum, 3);
    });
  });
}

TEST_P(GroupRefusal, A11TrySpawnAfterTheExitAndOverTheLimitIsEmpty) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    scope_handle kept;
    co_await with_group({.max_children = 1}, [&](task_group& group) -> task<> {
      kept = group.handle();
      group.spawn(sleeper(1s));
      EXPECT_FALSE(group.try_spawn(number(1)).has_value());
      EXPECT_FALSE(group.try_spawn(number, 1).has_value());
      EXPECT_FALSE(kept.try_spawn(number, 1).has_value());
      co_return;
    });
    EXPECT_FALSE(kept.try_spawn(number(1)).has_value());
    EXPECT_FALSE(kept.try_spawn({.name = "late"}, number, 1).has_value());
  });
}

TEST_P(GroupRefusal, AnEmptyTaskIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      task<int> empty;
      EXPECT_THROW(group.spawn(std::move(empty)), usage_error);
      co_return;
    });
  });
}

}  // namespace
}  // namespace coppice
