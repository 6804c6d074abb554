#include <coppice/dump.h>
#include <coppice/event.h>
#include <coppice/gather.h>
#include <coppice/race.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::texts;
using testing_support::trace;
using testing_support::tree_test;

class Event : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, Event, testing::Values(1, 2, 4));

task<> pass(event& through, trace& happened, std::string name) {
  co_await through.wait();
  happened.add(name);
}

TEST(EventByItself, IsSetUntilItIsReset) {
  event happened;
  EXPECT_FALSE(happened.is_set());
  happened.set();
  happened.set();
  EXPECT_TRUE(happened.is_set());
  happened.reset();
  happened.reset();
  EXPECT_FALSE(happened.is_set());
  EXPECT_TRUE(event(true).is_set());
}

TEST_P(Event, ReleasesAllWhoWaitAndWhoeverComesWhileItIsSet) {
  constexpr int many = 500;
  event happened;
  std::atomic<int> passed{0};
  test_runtime rt(workers());
  const auto waiting = [&]() -> task<> {
    co_await happened.wait();
    passed.fetch_add(1);
  };
  rt.block_on([&]() -> task<> {
    for (int i = 0; i != many; ++i) {
      static_cast<void>(spawn(waiting));
    }
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(passed.load(), 0);
    happened.set();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(passed.load(), many);
    co_await happened.wait();
  });
}

TEST(EventInOrder, WhoHasWaitedLongestGoesOnFirst) {
  event happened;
  trace passed;
  test_runtime rt({.shuffle = false});
  rt.block_on([&]() -> task<> {
    for (const char* name : {"a", "b", "c"}) {
      static_cast<void>(spawn(pass, std::ref(happened), std::ref(passed), std::string(name)));
    }
    co_await wait_all_tasks_blocked();
    happened.set();
    co_await wait_all_tasks_blocked();
  });
  EXPECT_EQ(passed.said(), (texts{"a", "b", "c"}));
}

TEST_P(Event, ResetAtOnceItReleasesThoseWhoWaitedAndNoOthers) {
  constexpr int many = 200;
  event happened;
  std::atomic<int> passed{0};
  test_runtime rt(workers());
  const auto twice = [&]() -> task<> {
    co_await happened.wait();
    passed.fetch_add(1);
    co_await happened.wait();
    passed.fetch_add(1);
  };
  rt.block_on([&]() -> task<> {
    for (int i = 0; i != many; ++i) {
      static_cast<void>(spawn(twice));
    }
    co_await wait_all_tasks_blocked();
    happened.set();
    happened.reset();
    co_await wait_all_tasks_blocked();
    EXPECT_GE(passed.load(), many);  // Several workers may be quicker than reset().
    happened.set();
    co_await wait_all_tasks_blocked();
  });
  EXPECT_EQ(passed.load(), 2 * many);
}

TEST_P(Event, AStoppedWaiterTakesNothingWithIt) {
  event happened;
  trace passed;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> first = spawn(pass, std::ref(happened), std::ref(passed), std::string("a"));
    const task_handle<> second =
        spawn(pass, std::ref(happened), std::ref(passed), std::string("b"));
    co_await wait_all_tasks_blocked();
    first.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(first.status(), task_status::cancelled);
    EXPECT_FALSE(second.done());
    happened.set();
    co_await second;
  });
  EXPECT_EQ(passed.said(), texts{"b"});
}

TEST_P(Event, ATimeLimitEndsTheWait) {
  event happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    bool in_time = co_await move_on_after(1s, happened.wait());
    EXPECT_FALSE(in_time);
    happened.set();
    in_time = co_await move_on_after(1s, happened.wait());
    EXPECT_TRUE(in_time);
  });
  EXPECT_EQ(rt.clock().elapsed(), 1s);
}

TEST_P(Event, CanBeJoinedWithOthers) {
  event one;
  event other;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> both =
        spawn([&]() -> task<> { co_await gather(one.wait(), other.wait()); });
    co_await wait_all_tasks_blocked();
    one.set();
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(both.done());
    other.set();
    co_await both;
    other.reset();
    co_await race(one.wait(), other.wait());
  });
}

// On entry, before the operation has any effect.
TEST_P(Event, AStopIsSeenEvenIfItIsSet) {
  event happened(true);
  bool went_on = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto body = [&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await happened.wait();
      went_on = true;
    };
    const auto end = co_await with_scope(body);
    EXPECT_TRUE(end.cancelled_caught);
  });
  EXPECT_FALSE(went_on);
}

// The wait was over before it was cancelled.
TEST_P(Event, OnceSetItDeliversThoughAStopComesMeanwhile) {
  event happened;
  bool delivered = false;
  bool went_on = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> waiting = spawn([&]() -> task<> {
      co_await happened.wait();
      delivered = true;
      co_await checkpoint();
      went_on = true;
    });
    co_await wait_all_tasks_blocked();
    happened.set();
    waiting.cancel();
    co_await wait_all_tasks_blocked();
  });
  EXPECT_TRUE(delivered);
  if (GetParam() == 1) {
    EXPECT_FALSE(went_on);
  }
}

TEST_P(Event, IsSetByAThreadThatIsNoWorker) {
  event happened;
  int written = 0;
  test_runtime rt(workers());
  const task_handle<int> reading = rt.spawn([&]() -> task<int> {
    co_await happened.wait();
    co_return written;
  });
  rt.run_until_blocked();
  EXPECT_FALSE(reading.done());
  std::thread([&] {
    written = 7;
    happened.set();
  }).join();
  EXPECT_EQ(rt.block_on([&]() -> task<int> { co_return co_await reading; }), 7);
}

TEST(EventFairness, WhoNeverNeedsToWaitGivesWayNowAndThen) {
  event happened(true);
  bool other_ran = false;
  test_runtime rt({.shuffle = false});
  rt.block_on([&]() -> task<> {
    static_cast<void>(spawn([&] { other_ran = true; }));
    for (int i = 0; i != 1'000 && !other_ran; ++i) {
      co_await happened.wait();
    }
    EXPECT_TRUE(other_ran);
  });
}

TEST_P(Event, DumpsSayWhoWaitsForIt) {
  event happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    static_cast<void>(spawn([&]() -> task<> { co_await happened.wait(); }));
    co_await wait_all_tasks_blocked();
    bool found = false;
    for (const task_info& each : all_tasks()) {
      found = found || each.waiting_for == "event.wait";
    }
    EXPECT_TRUE(found);
    happened.set();
  });
}

TEST_P(Event, MayBeDestroyedByWhoHasWaitedForIt) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    for (int i = 0; i != 300; ++i) {
      auto happened = std::make_unique<event>();
      event& setting = *happened;
      const task_handle<> setter = spawn([&] { setting.set(); });
      co_await happened->wait();
      happened.reset();
      co_await setter;
    }
  });
}

TEST(EventDeathTest, DestroyedWhileSomebodyWaitsItTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test_runtime rt;
        std::optional<event> happened(std::in_place);
        rt.block_on([&]() -> task<> {
          static_cast<void>(spawn([&]() -> task<> { co_await happened->wait(); }));
          co_await wait_all_tasks_blocked();
          happened.reset();
        });
      },
      "an event is destroyed while a task waits there");
}

}  // namespace
}  // namespace coppice
