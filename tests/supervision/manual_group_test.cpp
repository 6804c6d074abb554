// A group that is a member of a long-lived object: open, spawn, close, and open again.
#include <coppice/group.h>
#include <coppice/shield.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::failing;
using testing_support::failing_after;
using testing_support::mark;
using testing_support::messages_of;
using testing_support::number;
using testing_support::number_after;
using testing_support::sleeper;
using testing_support::texts;
using testing_support::trace;

class ManualGroup : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, ManualGroup, testing::Values(1u, 2u, 4u));

TEST_P(ManualGroup, SaysWhetherItIsOpen) {
  manual_group group;
  EXPECT_FALSE(group.is_open());
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    group.open();
    EXPECT_TRUE(group.is_open());
    co_await group.close();
    EXPECT_FALSE(group.is_open());
  });
}

TEST_P(ManualGroup, WaitsForItsChildrenInClose) {
  manual_group group({.name = "jobs"});
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    group.open();
    EXPECT_EQ(group.name(), "jobs");
    const task_handle<int> child = group.spawn(number_after, 2s, 4);
    EXPECT_EQ(group.size(), 1u);
    co_await sleep_for(1s);
    co_await group.close();
    EXPECT_EQ(child.result().value_or(0), 4);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(ManualGroup, LivesThroughManyFunctionsOfOneObject) {
  struct service {
    manual_group jobs;
    std::atomic<int> done{0};
    void add() {
      jobs.spawn([this]() -> task<> {
        co_await sleep_for(1s);
        ++done;
      });
    }
  };
  service whole;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    whole.jobs.open();
    whole.add();
    co_await sleep_for(500ms);
    whole.add();
    co_await whole.jobs.close();
    EXPECT_EQ(test_clock().elapsed(), 1500ms);
  });
  EXPECT_EQ(whole.done, 2);
}

TEST_P(ManualGroup, ThrowsWhatAGroupThrows) {
  manual_group group;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    group.open();
    const task_handle<> sibling = group.spawn(sleeper(forever));
    group.spawn(failing_after(1s, "child"));
    const outcome<> end = co_await as_result(group.close());
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("child"));
    EXPECT_EQ(sibling.result().reason().kind(), cancel_kind::sibling_failed);
    EXPECT_FALSE(group.is_open());
    co_await checkpoint();
  });
}

TEST_P(ManualGroup, KeepsAFailureUntilClose) {
  manual_group group;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    group.open();
    group.spawn(failing("early"));
    co_await shield(sleep_for(1s));
    EXPECT_TRUE(group.cancelled());
    EXPECT_EQ(group.reason().kind(), cancel_kind::sibling_failed);
    const outcome<> end = co_await as_result(shield(group.close()));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("early"));
  });
}

TEST_P(ManualGroup, A14WhatItKeptIsReportedIfItGoesWithoutClose) {
  std::vector<std::string> heard;
  test_runtime rt(workers());
  rt.set_error_handler(
      [&](const error_report& report) { heard.push_back(report.entry.message()); });
  rt.block_on([&]() -> task<> {
    {
      manual_group group;
      group.open();
      group.spawn(failing("nobody asks"));
      co_await shield(sleep_for(1s));
    }
    co_await sleep_for(1s);
    EXPECT_EQ(heard, std::vector<std::string>{"nobody asks"});
  });
}

TEST_P(ManualGroup, CollectsAllIfToldTo) {
  manual_group group({.on_failure = on_child_failure::collect_all});
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    group.open();
    group.spawn(failing_after(1s, "one"));
    group.spawn(failing_after(2s, "two"));
    const outcome<> end = co_await as_result(group.close());
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("one", "two"));
  });
}

TEST_P(ManualGroup, CanBeOpenedAgain) {
  manual_group group;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    for (int i = 1; i <= 3; ++i) {
      group.open();
      EXPECT_FALSE(group.cancelled());
      const task_handle<int> child = group.spawn(number_after, 1s, i);
      co_await group.close();
      EXPECT_EQ(child.result().value_or(0), i);
    }
    group.open();
    group.spawn(failing("now it fails"));
    const outcome<> end = co_await as_result(shield(group.close()));
    EXPECT_TRUE(end.failed());
    group.open();
    EXPECT_FALSE(group.cancelled());
    co_await group.close();
  });
}

TEST_P(ManualGroup, CancelEndsItsChildrenAndCloseReturns) {
  manual_group group;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    group.open();
    const task_handle<> child = group.spawn(sleeper(forever));
    co_await sleep_for(1s);
    const scope_handle handle = group.handle();
    handle.cancel("enough");
    co_await shield(group.close());
    EXPECT_EQ(child.result().reason().message(), "enough");
    EXPECT_TRUE(handle.closed());
  });
}

TEST_P(ManualGroup, CloseThatIsCancelledCancelsAwaitsAndStops) {
  trace events;
  manual_group group;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      const mark frame(events, "child");
      co_await sleep_for(forever);
    };
    const auto host = [&]() -> task<> {
      const mark frame(events, "host");
      group.open();
      group.spawn(child);
      co_await group.close();
      events.add("behind close");
    };
    const task_handle<> main = spawn(host);
    co_await sleep_for(1s);
    main.cancel();
    EXPECT_THROW(co_await main, task_cancelled);
    EXPECT_FALSE(group.is_open());
  });
  EXPECT_EQ(events.said(), (texts{"child", "host"}));
}

TEST_P(ManualGroup, LiesBelowTheInnermostScopeOfTheTaskThatOpensIt) {
  manual_group group;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    const scope_result<void> result = co_await with_scope([&](cancel_scope& above) -> task<> {
      group.open();
      child = group.spawn(sleeper(forever));
      co_await sleep_for(1s);
      above.cancel("above");
      EXPECT_TRUE(group.cancelled());
      co_await group.close();
    });
    EXPECT_TRUE(result.cancelled_caught);
    EXPECT_EQ(child.result().reason().message(), "above");
  });
}

TEST_P(ManualGroup, A11OnAClosedGroupSpawnThrowsScopeClosed) {
  manual_group group;
  scope_handle kept;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    group.open();
    kept = group.handle();
    co_await group.close();
    EXPECT_THROW(group.spawn(number(1)), scope_closed);
    EXPECT_FALSE(group.try_spawn(number(1)).has_value());
    EXPECT_THROW(kept.spawn(number(1)), scope_closed);
    group.open();
    EXPECT_THROW(kept.spawn(number(1)), scope_closed) << "the handle is of the first opening";
    co_await group.close();
  });
}

TEST_P(ManualGroup, CloseOfAClosedGroupReturns) {
  manual_group group;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await group.close();
    group.open();
    co_await group.close();
    co_await group.close();
  });
}

TEST_P(ManualGroup, OpenTwiceIsAUsageError) {
  manual_group group;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    group.open();
    EXPECT_THROW(group.open(), usage_error);
    EXPECT_TRUE(group.is_open());
    co_await group.close();
  });
}

TEST(ManualGroupOnly, OpenOutsideATaskIsAUsageError) {
  manual_group group;
  EXPECT_THROW(group.open(), usage_error);
  EXPECT_FALSE(group.is_open());
}

TEST(ManualGroupOnly, OneThatWasNeverOpenedCanBeDestroyed) {
  const manual_group group;
  EXPECT_FALSE(group.is_open());
  static_assert(std::is_base_of_v<task_group, manual_group>);
}

void destroy_with_live_children() {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    manual_group group({.name = "workers"});
    group.open();
    group.spawn({.name = "still here"}, sleeper(forever));
    co_await yield();
  });
}

TEST(ManualGroupDeathTest, DestroyedWithLiveChildrenItTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(destroy_with_live_children(), "group");
}

}  // namespace
}  // namespace coppice
