// with_group: waiting for children, its value, its cancel and its timeout.
#include <coppice/group.h>
#include <coppice/shield.h>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::mark;
using testing_support::number_after;
using testing_support::sleeper;
using testing_support::texts;
using testing_support::trace;

class Group : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, Group, testing::Values(1u, 2u, 4u));

TEST_P(Group, OfNoChildrenGivesTheValueOfItsBody) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_group([](task_group&) -> task<int> { co_return 3; });
    EXPECT_EQ(value, 3);
    const int named =
        co_await with_group({.name = "named"}, [](task_group&) -> task<int> { co_return 4; });
    EXPECT_EQ(named, 4);
    std::unique_ptr<int> moved = co_await with_group(
        [](task_group&) -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); });
    EXPECT_TRUE(moved && *moved == 5);
  });
}

TEST_P(Group, WaitsForItsChildrenBehindItsBody) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      co_await sleep_for(2s);
      events.add("child");
    };
    const int value = co_await with_group([&](task_group& group) -> task<int> {
      group.spawn(child);
      events.add("body");
      co_return 1;
    });
    events.add("value " + std::to_string(value));
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
  EXPECT_EQ(events.said(), (texts{"body", "child", "value 1"}));
}

TEST_P(Group, RunsItsChildrenAtOnce) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int sum = co_await with_group([](task_group& group) -> task<int> {
      std::vector<task_handle<int>> handles;
      for (int i = 1; i <= 100; ++i) {
        handles.push_back(group.spawn(number_after, i * 1s, i));
      }
      int total = 0;
      for (const task_handle<int>& each : handles) {
        total += co_await each;
      }
      co_return total;
    });
    EXPECT_EQ(sum, 5'050);
    EXPECT_EQ(test_clock().elapsed(), 100s);
  });
}

struct counted {
  explicit counted(std::atomic<int>& of) : live(&of) { ++*live; }
  counted(const counted& other) : live(other.live) { ++*live; }
  counted& operator=(const counted&) = delete;
  ~counted() { --*live; }
  std::atomic<int>* live;
};

TEST_P(Group, A1ExitsWhenEveryChildHasEndedAndItsFrameIsGone) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [](counted, duration d) -> task<> { co_await sleep_for(d); };
    co_await with_group([&](task_group& group) -> task<> {
      for (int i = 0; i != 20; ++i) {
        const task_handle<> each = group.spawn(child, counted(live), i * 1ms);
        if (i % 3 == 0) {
          each.cancel();
        }
      }
      EXPECT_GT(live, 0);
      co_return;
    });
    EXPECT_EQ(live, 0);
  });
}

TEST_P(Group, A1FramesAreGoneBeforeAFailureLeaves) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [](counted) -> task<> { co_await sleep_for(forever); };
    EXPECT_THROW(co_await with_group([&](task_group& group) -> task<> {
                   for (int i = 0; i != 20; ++i) {
                     group.spawn(child, counted(live));
                   }
                   co_await sleep_for(1s);
                   throw std::runtime_error("body");
                 }),
                 exception_group);
    EXPECT_EQ(live, 0);
  });
}

TEST_P(Group, A1HostsTheTasksSpawnedIntoIt) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      const task_id host = this_task::id();
      const task_handle<> child = group.spawn([host]() -> task<> {
        EXPECT_EQ(this_task::parent(), host);
        co_return;
      });
      co_await child;
    });
  });
}

TEST_P(Group, CountsItsLiveChildren) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      EXPECT_EQ(group.size(), 0u);
      group.spawn(sleeper(1s));
      group.spawn(sleeper(3s));
      EXPECT_EQ(group.size(), 2u);
      co_await sleep_for(2s);
      EXPECT_EQ(group.size(), 1u);
      co_await sleep_for(2s);
      EXPECT_EQ(group.size(), 0u);
    });
  });
}

TEST_P(Group, IsAScopeWithANameAndAHandle) {
  scope_handle kept;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group({.name = "fetchers"}, [&](task_group& group) -> task<> {
      static_assert(std::is_base_of_v<cancel_scope, task_group>);
      EXPECT_EQ(group.name(), "fetchers");
      EXPECT_EQ(current_scope().name(), "fetchers");
      kept = group.handle();
      EXPECT_FALSE(kept.closed());
      co_return;
    });
    EXPECT_TRUE(kept.closed());
  });
}

TEST_P(Group, NestsAndEndsInnermostFirst) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto say_after = [&](duration d, std::string what) -> task<> {
      co_await sleep_for(d);
      events.add(what);
    };
    co_await with_group([&](task_group& outer) -> task<> {
      outer.spawn(say_after, 3s, "outer child");
      co_await with_group([&](task_group& inner) -> task<> {
        inner.spawn(say_after, 2s, "inner child");
        co_return;
      });
      events.add("inner exit");
    });
    events.add("outer exit");
  });
  EXPECT_EQ(events.said(), (texts{"inner child", "inner exit", "outer child", "outer exit"}));
}

// ---- Cancelled ----------------------------------------------------------------------------------

TEST_P(Group, A5OfAVoidBodyAbsorbsItsOwnCancelAndReturns) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    co_await with_group([&](task_group& group) -> task<> {
      child = group.spawn(sleeper(forever));
      co_await sleep_for(1s);
      group.cancel("enough");
      co_await yield();
      events.add("behind the point");
    });
    events.add("behind the group");
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(child.result().reason().message(), "enough");
    EXPECT_FALSE(cancel_requested());
    co_await checkpoint();
  });
  EXPECT_EQ(events.said(), texts{"behind the group"});
}

TEST_P(Group, StoppedByItsOwnCancelCannotGiveAValueAndThrowsTaskCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    try {
      (void)co_await with_group([](task_group& group) -> task<int> {
        group.cancel("no value");
        co_await yield();
        co_return 1;
      });
      ADD_FAILURE() << "it gave a value";
    } catch (const task_cancelled& end) {
      EXPECT_EQ(end.reason().message(), "no value");
      EXPECT_EQ(end.id(), task_id::none);
    }
    co_await checkpoint();
  });
}

TEST_P(Group, A20GivesTheValueOfABodyThatEndedThoughItsChildrenWereCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_group([](task_group& group) -> task<int> {
      group.spawn(sleeper(forever));
      group.cancel();
      co_return 7;
    });
    EXPECT_EQ(value, 7);
    co_await checkpoint();
  });
}

TEST_P(Group, A5IsStoppedFromAboveWithItsChildren) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      const mark frame(events, "child");
      co_await sleep_for(forever);
    };
    const scope_result<void> result = co_await with_scope([&](cancel_scope& above) -> task<> {
      const scope_handle handle = above.handle();
      co_await with_group([&](task_group& group) -> task<> {
        group.spawn(child);
        group.spawn([handle]() -> task<> {
          co_await sleep_for(1s);
          handle.cancel("from above");
        });
        co_await sleep_for(forever);
      });
      events.add("behind the group");
    });
    EXPECT_TRUE(result.cancelled_caught);
  });
  EXPECT_EQ(events.said(), texts{"child"});
}

TEST_P(Group, A20OfABodyThatEndedGoesOnThoughItsHostWasCancelledWhileItWaited) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto main = [&]() -> task<> {
      const int value = co_await with_group([&](task_group& group) -> task<int> {
        group.spawn(sleeper(forever));
        co_return 3;
      });
      events.add("value " + std::to_string(value));
      co_await checkpoint();
      events.add("behind the point");
    };
    const task_handle<> host = spawn(main);
    co_await sleep_for(1s);
    host.cancel();
    EXPECT_THROW(co_await host, task_cancelled);
  });
  EXPECT_EQ(events.said(), texts{"value 3"});
}

TEST_P(Group, A7GoesOnWhenAChildIsCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_group([](task_group& group) -> task<int> {
      const task_handle<> one = group.spawn(sleeper(forever));
      const task_handle<int> other = group.spawn(number_after, 2s, 5);
      co_await sleep_for(1s);
      one.cancel();
      co_return co_await other;
    });
    EXPECT_EQ(value, 5);
  });
}

TEST_P(Group, A7GoesOnWhenAChildCancelsItself) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      const task_handle<> child = group.spawn([]() -> task<> {
        this_task::ref().cancel("myself");
        co_await checkpoint();
      });
      co_await sleep_for(1s);
      EXPECT_EQ(child.status(), task_status::cancelled);
      EXPECT_FALSE(group.cancelled());
    });
  });
}

TEST_P(Group, AbsorbsItsTimeout) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<> child;
    co_await with_group({.timeout = 2s}, [&](task_group& group) -> task<> {
      child = group.spawn(sleeper(forever));
      EXPECT_EQ(group.deadline(), now() + 2s);
      co_await sleep_for(forever);
    });
    EXPECT_EQ(test_clock().elapsed(), 2s);
    EXPECT_EQ(child.result().reason().kind(), cancel_kind::deadline);
  });
}

TEST_P(Group, TimeoutEndsChildrenAlsoBehindTheBody) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_group({.timeout = 2s}, [](task_group& group) -> task<int> {
      group.spawn(sleeper(forever));
      co_return 4;
    });
    EXPECT_EQ(value, 4);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(Group, TimeoutOfANonVoidBodyThrowsTaskCancelledOfThatKind) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto body = [](task_group&) -> task<int> { co_return co_await number_after(1h, 1); };
    try {
      co_await with_group({.timeout = 1s}, body);
      ADD_FAILURE() << "there is no value";
    } catch (const task_cancelled& stopped) {
      EXPECT_EQ(stopped.reason().kind(), cancel_kind::deadline);
    }
    const outcome<int> end = co_await as_result(with_group({.timeout = 1s}, body));
    EXPECT_TRUE(end.cancelled()) << "shown without a throw";
    EXPECT_EQ(end.reason().kind(), cancel_kind::deadline);
  });
}

TEST_P(Group, OfManyChildrenEndsEachInOneWay) {
  std::atomic<int> completed{0};
  std::atomic<int> cancelled{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [](int i) -> task<> { co_await sleep_for((i % 2 == 0 ? 1 : 3) * 1s); };
    co_await with_group({.timeout = 2s}, [&](task_group& group) -> task<> {
      for (int i = 0; i != 1'000; ++i) {
        const task_handle<> each = group.spawn(child, i);
        each.on_done([&completed, &cancelled, each] {
          ++(each.status() == task_status::completed ? completed : cancelled);
        });
      }
      co_return;
    });
    EXPECT_EQ(completed + cancelled, 1'000) << "on_done is called before the scope's exit";
  });
  EXPECT_EQ(completed, 500);
  EXPECT_EQ(cancelled, 500);
}

}  // namespace
}  // namespace coppice
