// task_group::start: waiting for a child until it says that it is ready.
#include <coppice/group.h>
#include <coppice/shield.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::mark;
using testing_support::messages_of;
using testing_support::sleeper;
using testing_support::texts;
using testing_support::trace;

class StartGate : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, StartGate, testing::Values(1u, 2u, 4u));

TEST_P(StartGate, GivesWhatTheChildStartedWithAndTheChildLivesOn) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto server = [&](basic_start_gate<int>& gate) -> task<> {
      co_await sleep_for(1s);
      events.add("bound");
      gate.started(8080);
      co_await sleep_for(2s);
      events.add("served");
    };
    co_await with_group([&](task_group& group) -> task<> {
      const int port = co_await group.start<int>(server);
      events.add("port " + std::to_string(port));
      EXPECT_EQ(test_clock().elapsed(), 1s);
      EXPECT_EQ(group.size(), 1u);
    });
    EXPECT_EQ(test_clock().elapsed(), 3s);
  });
  EXPECT_EQ(events.said(), (texts{"bound", "port 8080", "served"}));
}

TEST_P(StartGate, OfNoValueOnlySaysWhen) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      co_await group.start([](start_gate& gate) -> task<> {
        co_await sleep_for(1s);
        gate.started();
      });
      EXPECT_EQ(test_clock().elapsed(), 1s);
    });
  });
}

TEST_P(StartGate, PassesArgumentsAndOptions) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto child = [](basic_start_gate<std::string>& gate, int a,
                          const std::string& b) -> task<> {
      gate.started(std::string(this_task::name()) + " " + std::to_string(a) + " " + b);
      co_await sleep_for(1s);
      EXPECT_EQ(b, "two") << "arguments live as long as the child";
    };
    co_await with_group([&](task_group& group) -> task<> {
      const std::string said =
          co_await group.start<std::string>({.name = "server"}, child, 1, std::string("two"));
      EXPECT_EQ(said, "server 1 two");
    });
  });
}

TEST_P(StartGate, GivesAValueThatCanOnlyBeMoved) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto child = [](basic_start_gate<std::unique_ptr<int>>& gate) -> task<> {
      gate.started(std::make_unique<int>(6));
      co_return;
    };
    co_await with_group([&](task_group& group) -> task<> {
      const std::unique_ptr<int> value = co_await group.start<std::unique_ptr<int>>(child);
      EXPECT_TRUE(value && *value == 6);
    });
  });
}

task<> announce(start_gate& gate) {
  co_await yield();
  gate.started();
}

TEST_P(StartGate, MayBePassedBelowTheChild) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      co_await group.start([](start_gate& gate) -> task<> { co_await announce(gate); });
    });
  });
}

TEST_P(StartGate, ThrowsAFailureFromBeforeNakedAndTheGroupDoesNotCountIt) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_group([](task_group& group) -> task<int> {
      const task_handle<> sibling = group.spawn(sleeper(2s));
      EXPECT_THROW(co_await group.start([](start_gate&) -> task<> {
        co_await sleep_for(1s);
        throw std::invalid_argument("no port");
      }),
                   std::invalid_argument);
      EXPECT_FALSE(group.cancelled());
      co_await sibling;
      EXPECT_EQ(sibling.status(), task_status::completed);
      co_return 3;
    });
    EXPECT_EQ(value, 3);
  });
}

TEST_P(StartGate, OfAChildThatMerelyReturnedThrowsStartError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      try {
        co_await group.start({.name = "forgetful"}, [](start_gate&) -> task<> { co_return; });
        ADD_FAILURE() << "it never said started()";
      } catch (const start_error& error) {
        EXPECT_EQ(error.cause(), nullptr);
        EXPECT_NE(std::string(error.what()).find("forgetful"), std::string::npos) << error.what();
      }
      EXPECT_FALSE(group.cancelled());
    });
  });
}

TEST_P(StartGate, A8AFailureFromBehindCountsInTheGroup) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      co_await group.start([](start_gate& gate) -> task<> {
        gate.started();
        co_await sleep_for(1s);
        throw std::runtime_error("later");
      });
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("later"));
  });
}

TEST_P(StartGate, ASecondCallIsAUsageError) {
  std::optional<bool> refused;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&](basic_start_gate<int>& gate) -> task<> {
      gate.started(1);
      try {
        gate.started(2);
        refused = false;
      } catch (const usage_error&) {
        refused = true;
      }
      co_return;
    };
    co_await with_group([&](task_group& group) -> task<> {
      const int value = co_await group.start<int>(child);
      EXPECT_EQ(value, 1);
    });
  });
  EXPECT_EQ(refused, true);
}

TEST_P(StartGate, WhoseCallerIsStoppedCancelsAndAwaitsTheChild) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&](start_gate&) -> task<> {
      const mark frame(events, "child");
      co_await sleep_for(forever);
    };
    co_await with_group([&](task_group& group) -> task<> {
      const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
        const scope_handle own = scope.handle();
        group.spawn([own]() -> task<> {
          co_await sleep_for(1s);
          own.cancel("waited long enough");
        });
        co_await group.start(child);
        events.add("behind start");
      });
      EXPECT_TRUE(result.cancelled_caught);
      events.add("behind the scope");
      co_await sleep_for(1s);
      EXPECT_EQ(group.size(), 0u);
      EXPECT_FALSE(group.cancelled());
    });
  });
  EXPECT_EQ(events.said(), (texts{"child", "behind the scope"}));
}

TEST_P(StartGate, A3IsAPointOfItsCaller) {
  bool began = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&](start_gate& gate) -> task<> {
      began = true;
      gate.started();
      co_return;
    };
    co_await with_group([&](task_group& group) -> task<> {
      const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
        scope.cancel();
        co_await group.start(child);
      });
      EXPECT_TRUE(result.cancelled_caught);
    });
  });
  EXPECT_FALSE(began);
}

TEST_P(StartGate, ATimeoutAroundStartEndsTheChild) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& group) -> task<> {
      const auto never = [](start_gate&) -> task<> { co_await sleep_for(forever); };
      const auto starting = [&]() -> task<> { co_await group.start(never); };
      EXPECT_THROW(co_await with_timeout(1s, starting), timeout_error);
      co_await sleep_for(1s);
      EXPECT_EQ(group.size(), 0u);
    });
  });
}

TEST_P(StartGate, OnAFullGroupThrowsResourceExhausted) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_group({.max_children = 0}, [](task_group& group) -> task<> {
      EXPECT_THROW(co_await group.start([](start_gate& gate) -> task<> {
        gate.started();
        co_return;
      }),
                   resource_exhausted);
    });
  });
}

}  // namespace
}  // namespace coppice
