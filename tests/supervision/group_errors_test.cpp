// Failures in a group: who is cancelled, what is thrown, in which order, and how groups nest.
#include <coppice/group.h>
#include <coppice/shield.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "tests/support/report_log.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::UnorderedElementsAre;
using testing_support::failing;
using testing_support::failing_after;
using testing_support::failing_when_stopped;
using testing_support::mark;
using testing_support::messages_of;
using testing_support::number_after;
using testing_support::report_log;
using testing_support::sleeper;
using testing_support::texts;
using testing_support::trace;

class GroupErrors : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, GroupErrors, testing::Values(1u, 2u, 4u));

TEST_P(GroupErrors, A8AChildsFailureLeavesAsAGroupEvenIfItIsTheOnlyOne) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      group.spawn(failing("alone"));
      co_return;
    }));
    EXPECT_TRUE(end.failed());
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("alone"));
  });
}

TEST_P(GroupErrors, A8ABodysFailureLeavesAsAGroupToo) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group&) -> task<> {
      throw std::invalid_argument("body");
      co_return;
    }));
    const exception_group* const group = end.entry().get_if<exception_group>();
    EXPECT_TRUE(group != nullptr);
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("body"));
    EXPECT_TRUE(group != nullptr &&
                group->exceptions()[0].get_if<std::invalid_argument>() != nullptr);
  });
}

TEST_P(GroupErrors, A8TheFirstFailureCancelsBodyAndSiblings) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    task_handle<> sibling;
    const outcome<> end = co_await as_result(with_group([&](task_group& group) -> task<> {
      const mark body(events, "body is stopped");
      sibling = group.spawn(sleeper(forever));
      group.spawn(failing_after(1s, "first"));
      co_await sleep_for(forever);
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("first"));
    EXPECT_EQ(sibling.status(), task_status::cancelled);
    EXPECT_EQ(sibling.result().reason().kind(), cancel_kind::sibling_failed);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  EXPECT_EQ(events.said(), texts{"body is stopped"});
}

TEST_P(GroupErrors, A8ABodysFailureCancelsTheChildren) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<> child;
    const outcome<> end = co_await as_result(with_group([&](task_group& group) -> task<> {
      child = group.spawn(sleeper(forever));
      co_await sleep_for(1s);
      throw std::runtime_error("body");
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("body"));
    EXPECT_EQ(child.result().reason().kind(), cancel_kind::sibling_failed);
  });
}

TEST_P(GroupErrors, A8KeepsFailuresInTheOrderOfArrivalAndTheBodysLast) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    // Is asked to stop long before it fails, but may not be stopped.
    const auto late = [](int hours, std::string text) -> task<> {
      co_await shield(sleep_for(hours * 1h));
      throw std::runtime_error(text);
    };
    const outcome<> end = co_await as_result(with_group([&](task_group& group) -> task<> {
      group.spawn(late, 3, "third");
      group.spawn(late, 1, "first");
      group.spawn(late, 2, "second");
      co_await sleep_for(1min);  // All have begun.
      throw std::runtime_error("body");
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("first", "second", "third", "body"));
  });
}

TEST_P(GroupErrors, A8WaitsForAllBeforeItThrows) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto slow_to_end = [&]() -> task<> {
      co_await shield(sleep_for(2s));
      events.add("child ended");
    };
    const outcome<> end = co_await as_result(with_group([&](task_group& group) -> task<> {
      group.spawn(slow_to_end);
      group.spawn(failing_after(1s, "at once"));
      co_return;
    }));
    events.add("group left");
    EXPECT_TRUE(end.failed());
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
  EXPECT_EQ(events.said(), (texts{"child ended", "group left"}));
}

TEST_P(GroupErrors, A8InnerGroupsStayNested) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto hosting = []() -> task<> {
      co_await with_group([](task_group& inner) -> task<> {
        inner.spawn(failing("deep"));
        co_return;
      });
    };
    const outcome<> end = co_await as_result(with_group([&](task_group& outer) -> task<> {
      outer.spawn(hosting);
      co_return;
    }));
    const exception_group* const outer = end.entry().get_if<exception_group>();
    EXPECT_TRUE(outer != nullptr && outer->exceptions().size() == 1);
    const exception_group* const inner =
        outer == nullptr ? nullptr : outer->exceptions()[0].get_if<exception_group>();
    EXPECT_TRUE(inner != nullptr);
    EXPECT_EQ(inner == nullptr ? texts{} : messages_of(*inner), texts{"deep"});
    EXPECT_EQ(outer == nullptr ? 0u : outer->leaf_count(), 1u);
  });
}

TEST_P(GroupErrors, A8InABodyAnInnerGroupIsNestedLikewise) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& outer) -> task<> {
      outer.spawn(failing_when_stopped("sibling of the inner group"));
      co_await sleep_for(1s);
      co_await with_group([](task_group& inner) -> task<> {
        inner.spawn(failing("deep"));
        co_return;
      });
    }));
    const exception_group* const outer = end.entry().get_if<exception_group>();
    EXPECT_TRUE(outer != nullptr && outer->exceptions().size() == 2);
    if (outer != nullptr && outer->exceptions().size() == 2) {
      EXPECT_EQ(outer->exceptions()[0].message(), "sibling of the inner group");
      EXPECT_EQ(messages_of(outer->exceptions()[1]), texts{"deep"});
    }
  });
}

TEST_P(GroupErrors, A8CountsAFailureAlsoIfSomebodyAwaitedTheHandle) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      const task_handle<> child = group.spawn(failing_after(1s, "awaited"));
      try {
        co_await shield(child);
      } catch (const std::runtime_error&) {
      }
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("awaited"));
  });
}

TEST_P(GroupErrors, A8TwoFailuresAtOneInstantAreBothKept) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      group.spawn(failing_after(1s, "one"));
      group.spawn(failing_after(1s, "other"));
      co_await sleep_for(forever);
    }));
    EXPECT_THAT(messages_of(end.entry()), UnorderedElementsAre("one", "other"))
        << "both timers have fired before either ran";
  });
}

TEST_P(GroupErrors, A7ACancelledChildIsNoFailure) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      for (int i = 0; i != 10; ++i) {
        group.spawn(sleeper(forever));
      }
      group.spawn(failing_after(1s, "the only one"));
      co_return;
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("the only one"));
  });
}

TEST_P(GroupErrors, A6ThrowsThoughTheHostIsBeingCancelledAndTheNextPointStops) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto main = [&]() -> task<> {
      try {
        co_await with_group([](task_group& group) -> task<> {
          group.spawn(failing_when_stopped("while stopping"));
          co_await sleep_for(forever);
        });
        events.add("no failure");
      } catch (const exception_group& group) {
        events.add(messages_of(group).front());
      }
      EXPECT_TRUE(cancel_requested());
      co_await checkpoint();
      events.add("behind the point");
    };
    const task_handle<> host = spawn(main);
    co_await sleep_for(1s);
    host.cancel();
    EXPECT_THROW(co_await host, task_cancelled);
  });
  EXPECT_EQ(events.said(), texts{"while stopping"});
}

TEST_P(GroupErrors, A6ThrowsThoughItWasCancelledItself) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      group.spawn(failing_when_stopped("while stopping"));
      co_await sleep_for(1s);
      group.cancel("enough");
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("while stopping"));
    co_await checkpoint();
  });
}

TEST_P(GroupErrors, SaysWhatAChildWasBeingCancelledForWhenItFailed) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const outcome<> end = co_await as_result(with_group([](task_group& group) -> task<> {
      group.spawn({.name = "second"}, failing_when_stopped("later"));
      group.spawn({.name = "first"}, failing_after(1s, "cause"));
      co_return;
    }));
    const exception_group* const group = end.entry().get_if<exception_group>();
    EXPECT_EQ(messages_of(end.entry()), (texts{"cause", "later"}));
    if (group != nullptr && group->exceptions().size() == 2) {
      const error_entry cause = group->exceptions()[0];
      const error_entry later = group->exceptions()[1];
      EXPECT_EQ(cause.context(), nullptr);
      EXPECT_TRUE(later.context() != nullptr &&
                  later.context()->kind() == cancel_kind::sibling_failed);
    }
  });
}

TEST_P(GroupErrors, NamesTheTaskThatFailedAndWhereItWasSpawned) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<> child;
    const outcome<> end = co_await as_result(with_group([&](task_group& group) -> task<> {
      child = group.spawn({.name = "fetch"}, failing("broken"));
      co_return;
    }));
    const exception_group* const group = end.entry().get_if<exception_group>();
    EXPECT_TRUE(group != nullptr);
    const error_entry entry = group == nullptr ? error_entry() : group->exceptions()[0];
    EXPECT_EQ(entry.name(), "fetch");
    EXPECT_EQ(entry.id(), child.id());
    EXPECT_NE(entry.site().line, 0u);
  });
}

TEST_P(GroupErrors, TellsTheErrorHandlerNothingOfWhatItThrows) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await with_group([](task_group& group) -> task<> {
                   group.spawn(failing("one"));
                   group.spawn(failing_when_stopped("other"));
                   co_return;
                 }),
                 exception_group);
  });
  EXPECT_EQ(log.messages(), texts{});
}

// ---- collect_all --------------------------------------------------------------------------------

constexpr group_options collecting = {.on_failure = on_child_failure::collect_all};

TEST_P(GroupErrors, CollectAllLetsTheOthersFinish) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<int> other;
    const outcome<> end = co_await as_result(with_group(collecting, [&](task_group& g) -> task<> {
      other = g.spawn(number_after, 5s, 9);
      g.spawn(failing_after(1s, "first"));
      g.spawn(failing_after(2s, "second"));
      co_await sleep_for(3s);
      EXPECT_FALSE(g.cancelled());
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("first", "second"));
    EXPECT_EQ(other.result().value_or(0), 9);
    EXPECT_EQ(test_clock().elapsed(), 5s);
  });
}

TEST_P(GroupErrors, CollectAllLetsChildrenFinishAlsoWhenTheBodyFails) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<int> child;
    const outcome<> end = co_await as_result(with_group(collecting, [&](task_group& g) -> task<> {
      child = g.spawn(number_after, 5s, 9);
      g.spawn(failing_after(1s, "child"));
      throw std::runtime_error("body");
      co_return;
    }));
    EXPECT_THAT(messages_of(end.entry()), ElementsAre("child", "body"));
    EXPECT_EQ(child.status(), task_status::completed);
  });
}

TEST_P(GroupErrors, CollectAllWithoutFailuresGivesTheValue) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await with_group(collecting, [](task_group& group) -> task<int> {
      group.spawn(sleeper(1s));
      co_return 2;
    });
    EXPECT_EQ(value, 2);
  });
}

}  // namespace
}  // namespace coppice
