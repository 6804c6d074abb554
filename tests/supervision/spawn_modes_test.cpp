// The three ways to start a child: queued, immediate, guaranteed.
#include <coppice/group.h>
#include <coppice/shield.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::mark;
using testing_support::messages_of;
using testing_support::number;
using testing_support::texts;
using testing_support::trace;

class SpawnModes : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, SpawnModes, testing::Values(1u, 2u, 4u));

// How many calls of spawn this thread is in.
thread_local int inside_spawn = 0;

TEST_P(SpawnModes, A11QueuedNeverRunsInsideTheCall) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      std::vector<task_handle<int>> handles;
      for (int i = 0; i != 100; ++i) {
        ++inside_spawn;
        handles.push_back(group.spawn([]() -> task<int> { co_return inside_spawn; }));
        --inside_spawn;
      }
      for (const task_handle<int>& each : handles) {
        const int seen = co_await each;
        EXPECT_EQ(seen, 0);
      }
    });
  });
}

TEST_P(SpawnModes, ImmediateRunsInsideTheCallUpToTheFirstSuspension) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      events.add("inside");
      co_await sleep_for(1s);
      events.add("behind the suspension");
    };
    co_await with_group([&](task_group& group) -> task<> {
      const task_id host = this_task::id();
      const task_handle<> handle = group.spawn({.start = start_mode::immediate}, child);
      events.add("spawned");
      EXPECT_EQ(this_task::id(), host);
      EXPECT_NE(handle.id(), host);
      EXPECT_FALSE(handle.done());
      co_return;
    });
  });
  EXPECT_EQ(events.said(), (texts{"inside", "spawned", "behind the suspension"}));
}

TEST_P(SpawnModes, ImmediateThatNeverSuspendsHasEndedWhenSpawnReturns) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      const task_handle<int> child = group.spawn({.start = start_mode::immediate}, number(4));
      EXPECT_TRUE(child.done());
      EXPECT_EQ(child.result().value_or(0), 4);
      co_return;
    });
  });
}

TEST_P(SpawnModes, ImmediateFailureIsTheGroupsNotTheCalls) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      (void)group.spawn({.start = start_mode::immediate}, testing_support::failing("inside"));
      EXPECT_TRUE(group.cancelled());
      co_return;
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("inside"));
  });
}

TEST_P(SpawnModes, ImmediateFromAPlainThreadIsQueued) {
  scope_handle target;
  std::thread::id ran_on;
  test_runtime rt(workers());
  const task_handle<> main = rt.spawn([&]() -> task<> {
    co_await with_group([&](task_group& group) -> task<> {
      target = group.handle();
      co_await sleep_for(forever);
    });
  });
  rt.run_until_blocked();
  target.spawn({.start = start_mode::immediate}, [&]() -> task<> {
    ran_on = std::this_thread::get_id();
    co_return;
  });
  rt.run_until_blocked();
  EXPECT_NE(ran_on, std::thread::id());
  EXPECT_NE(ran_on, std::this_thread::get_id());
  target.cancel();
  rt.run_until_blocked();
  EXPECT_TRUE(main.done());
}

TEST(SpawnModesInOrder, A12GuaranteedRunsUpToItsFirstPointThoughCancelledBefore) {
  trace events;
  test_runtime rt({.workers = 1, .shuffle = false});
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      const mark frame(events, "released");
      events.add("acquired");
      co_await yield();
      events.add("behind the point");
    };
    co_await with_group([&](task_group& group) -> task<> {
      const task_handle<> guaranteed = group.spawn({.start = start_mode::guaranteed}, child);
      guaranteed.cancel();
      EXPECT_EQ(events.said(), texts{}) << "queued";
      co_return;
    });
  });
  EXPECT_EQ(events.said(), (texts{"acquired", "released"}));
}

TEST(SpawnModesInOrder, A12CancelledBeforeItsFirstResumeItNeverRuns) {
  bool ran = false;
  std::weak_ptr<int> argument;
  test_runtime rt({.workers = 1, .shuffle = false});
  rt.block_on([&]() -> task<> {
    const auto child = [&](std::shared_ptr<int>) -> task<> {
      ran = true;
      co_return;
    };
    co_await with_group([&](task_group& group) -> task<> {
      auto owned = std::make_shared<int>(1);
      argument = owned;
      const task_handle<> handle = group.spawn(child, std::move(owned));
      handle.cancel("before it began");
      co_await sleep_for(1s);
      EXPECT_EQ(handle.status(), task_status::cancelled);
      EXPECT_EQ(handle.result().reason().message(), "before it began");
      EXPECT_TRUE(argument.expired());
    });
  });
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace coppice
