// Spawning into a group: from where, in which mode, with which arguments, and when it is refused.
#include <coppice/group.h>
#include <coppice/shield.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::number;
using testing_support::number_after;
using testing_support::sleeper;
using testing_support::texts;
using testing_support::trace;

class GroupSpawn : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, GroupSpawn, testing::Values(1u, 2u, 4u));

TEST_P(GroupSpawn, TakesTasksAndCallablesWithArguments) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      const auto sum = [](auto... each) -> task<int> { co_return (each + ... + 0); };
      std::vector<task_handle<int>> handles;
      handles.push_back(group.spawn(number(1)));
      handles.push_back(group.spawn({.name = "two"}, number(2)));
      handles.push_back(group.spawn(sum));
      handles.push_back(group.spawn(sum, 4));
      handles.push_back(group.spawn(sum, 2, 3));
      handles.push_back(group.spawn(sum, 1, 2, 3));
      handles.push_back(group.spawn(sum, 1, 2, 3, 1));
      handles.push_back(group.spawn(sum, 1, 2, 3, 1, 1));
      handles.push_back(group.spawn({.name = "nine"}, sum, 4, 5));
      handles.push_back(group.spawn([](int n) { return n; }, 10));
      std::vector<int> values;
      for (const task_handle<int>& each : handles) {
        const int value = co_await each;
        values.push_back(value);
      }
      EXPECT_THAT(values, ElementsAre(1, 2, 0, 4, 5, 6, 7, 8, 9, 10));
    });
  });
}

TEST_P(GroupSpawn, CopiesTheNameAndNotesTheSite) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      task_handle<> child;
      {
        const std::string name = "a name that does not fit into a small string";
        child = group.spawn({.name = name}, sleeper(1s));
      }
      EXPECT_EQ(child.name(), "a name that does not fit into a small string");
      EXPECT_NE(std::string(child.site().file).find("group_spawn_test"), std::string::npos);
      const task_handle<int> plain = group.spawn(number(1));
      EXPECT_NE(std::string(plain.site().file).find("group_spawn_test"), std::string::npos);
      co_return;
    });
  });
}

TEST_P(GroupSpawn, KeepsCallableAndArgumentsUntilTheFrameIsGone) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::weak_ptr<int> captured;
    std::weak_ptr<int> passed;
    co_await with_group([&](task_group& group) -> task<> {
      auto owned = std::make_shared<int>(1);
      auto argument = std::make_shared<int>(2);
      captured = owned;
      passed = argument;
      const auto child = [owned](const std::shared_ptr<int>& other) -> task<int> {
        co_await sleep_for(1s);
        co_return *owned + *other;
      };
      const task_handle<int> handle = group.spawn(child, std::move(argument));
      owned.reset();
      co_await sleep_for(500ms);
      EXPECT_FALSE(captured.expired());
      EXPECT_FALSE(passed.expired());
      const int sum = co_await handle;
      EXPECT_EQ(sum, 3);
    });
    EXPECT_TRUE(captured.expired());
    EXPECT_TRUE(passed.expired());
  });
}

// ---- From where ---------------------------------------------------------------------------------

TEST_P(GroupSpawn, FromAChildAlsoWhenTheBodyHasEnded) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto grandchild = [&]() -> task<> {
      co_await sleep_for(1s);
      events.add("grandchild");
    };
    const auto child = [&](scope_handle group) -> task<> {
      co_await sleep_for(1s);
      group.spawn(grandchild);
      events.add("child");
    };
    co_await with_group([&](task_group& group) -> task<> {
      group.spawn(child, group.handle());
      events.add("body");
      co_return;
    });
    events.add("exit");
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
  EXPECT_EQ(events.said(), (texts{"body", "child", "grandchild", "exit"}));
}

TEST_P(GroupSpawn, A1TheParentOfAChildsChildIsTheGroupsHost) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      const task_id host = this_task::id();
      const task_handle<> child = group.spawn([&group, host]() -> task<> {
        const task_handle<> second = group.spawn([host]() -> task<> {
          EXPECT_EQ(this_task::parent(), host);
          co_return;
        });
        co_await second;
      });
      co_await child;
    });
  });
}

TEST_P(GroupSpawn, FromATaskOfAnotherScope) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& one) -> task<> {
      co_await with_group([&](task_group& other) -> task<> {
        const task_handle<> below = other.spawn([&]() -> task<> {
          one.spawn(sleeper(5s));
          co_return;
        });
        co_await below;
      });
      EXPECT_EQ(test_clock().elapsed(), 0s) << "it was not a child of the inner group";
    });
    EXPECT_EQ(test_clock().elapsed(), 5s);
  });
}

TEST_P(GroupSpawn, FromAPlainThread) {
  scope_handle target;
  std::atomic<int> ran{0};
  test_runtime rt(workers());
  const task_handle<> main = rt.spawn([&]() -> task<> {
    co_await with_group([&](task_group& group) -> task<> {
      target = group.handle();
      co_await sleep_for(forever);
    });
  });
  rt.run_until_blocked();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i != 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k != 50; ++k) {
          target.spawn([&ran]() -> task<> {
            ++ran;
            co_await sleep_for(forever);
          });
        }
      });
    }
  }
  rt.run_until_blocked();
  EXPECT_EQ(ran, 200);
  EXPECT_FALSE(main.done());
  target.cancel();
  rt.run_until_blocked();
  EXPECT_TRUE(main.done());
  EXPECT_EQ(rt.live_frames(), 0u);
}

TEST_P(GroupSpawn, AnyNumberOfGenerations) {
  std::atomic<int> ran{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto next = [&](auto self, scope_handle group, int left) -> task<> {
      ++ran;
      if (left != 0) {
        group.spawn(self, self, group, left - 1);
      }
      co_return;
    };
    co_await with_group([&](task_group& group) -> task<> {
      group.spawn(next, next, group.handle(), 9'999);
      co_return;
    });
    EXPECT_EQ(ran, 10'000);
  });
}

// ---- With a timeout -----------------------------------------------------------------------------

TEST_P(GroupSpawn, AChildsTimeoutIsAFailureOfThatChild) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<> slow;
    task_handle<> sibling;
    const outcome<> end = co_await as_result(with_group([&](task_group& group) -> task<> {
      sibling = group.spawn(sleeper(forever));
      slow = group.spawn({.name = "slow", .timeout = 2s}, sleeper(1h));
      co_return;
    }));
    const exception_group* const group = end.entry().get_if<exception_group>();
    const auto* const late =
        group == nullptr ? nullptr : group->exceptions()[0].get_if<timeout_error>();
    EXPECT_TRUE(late != nullptr && late->limit() == 2s);
    EXPECT_EQ(slow.status(), task_status::failed);
    EXPECT_EQ(sibling.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(GroupSpawn, AChildThatEndsInTimeFeelsNothingOfItsTimeout) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      const task_handle<int> child = group.spawn({.timeout = 2s}, number_after, 1s, 3);
      const int value = co_await child;
      EXPECT_EQ(value, 3);
      co_await sleep_for(5s);
      EXPECT_EQ(child.status(), task_status::completed);
    });
  });
}

TEST_P(GroupSpawn, AChildsTimeoutCancelsItForThatReason) {
  cancel_kind seen = cancel_kind::misuse;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      const outcome<> end = co_await as_result(sleep_for(forever));
      seen = end.reason().kind();
      co_await stop();
    };
    EXPECT_THROW(co_await with_group([&](task_group& group) -> task<> {
                   group.spawn({.timeout = 1s}, child);
                   co_return;
                 }),
                 exception_group);
  });
  EXPECT_EQ(seen, cancel_kind::deadline);
}

}  // namespace
}  // namespace coppice
