// Who is whose parent, and what a cancel reaches: well defined wherever a task was spawned.
#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Parents : public testing_support::idiom_test {
 protected:
  // The names of this task's scopes, innermost first.
  static std::vector<std::string> scopes_here() {
    const std::vector<std::string_view> names = this_task::scopes();
    return {names.begin(), names.end()};
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, Parents, testing::Values(1u, 2u, 4u));

TEST_P(Parents, AChildsParentIsTheTaskThatOpenedItsGroup) {
  rt_.block_on([&]() -> task<> {
    const task_id host = this_task::id();
    co_await with_group([&](task_group& g) -> task<> {
      const task_handle<task_id> child =
          g.spawn([]() -> task<task_id> { co_return this_task::parent(); });
      const task_id parent = co_await child;
      EXPECT_EQ(parent, host);
    });
  });
}

TEST_P(Parents, ItIsTheOpenerAlsoIfAChildOrAnotherTaskSpawns) {
  rt_.block_on([&]() -> task<> {
    const task_id host = this_task::id();
    co_await with_group([&](task_group& g) -> task<> {
      const auto look = [&]() -> task<> {
        EXPECT_EQ(this_task::parent(), host);
        note("looked");
        co_return;
      };
      g.spawn([&]() -> task<> {
        g.spawn(look);
        co_return;
      });
      const task_handle<> stranger = spawn([&]() -> task<> {
        g.spawn(look);
        co_return;
      });
      co_await stranger;
      co_await sleep_for(1s);  // `look` lives as long as its tasks.
    });
  });
  EXPECT_THAT(journal(), ElementsAre("0s looked", "0s looked"));
}

TEST_P(Parents, ASpawnedTaskHasTheRootForAParentWhereverItWasSpawned) {
  rt_.block_on([&]() -> task<> {
    co_await with_group({.name = "group"}, [&](task_group&) -> task<> {
      const task_handle<> free = spawn([&]() -> task<> {
        EXPECT_EQ(this_task::parent(), task_id::none);
        for (const std::string& each : scopes_here()) {
          EXPECT_NE(each, "group");
        }
        co_return;
      });
      co_await free;
    });
  });
}

TEST_P(Parents, AGroupsChildrenEndWithItAndSpawnedTasksDoNot) {
  rt_.block_on([&]() -> task<> {
    co_await with_group([&](task_group& g) -> task<> {
      g.spawn(sleeper("child", 1h));
      spawn(sleeper("spawned", 5s));
      co_await sleep_for(1s);
      g.cancel("enough");
    });
    co_await sleep_for(9s);
  });
  EXPECT_THAT(journal(), ElementsAre("1s child stopped: enough", "5s spawned done"));
}

TEST_P(Parents, ScopesAreNamedFromTheInnermostOutwards) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "service"}, [&](supervisor&) -> task<> {
      co_await with_group({.name = "request"}, [&](task_group&) -> task<> {
        co_await with_scope({.name = "query"}, [&]() -> task<> {
          std::vector<std::string> names = scopes_here();
          names.resize(3);
          EXPECT_THAT(names, ElementsAre("query", "request", "service"));
          co_return;
        });
      });
    });
  });
}

TEST_P(Parents, ACancelReachesEverythingBelowAndNothingBeside) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      const task_handle<> tree = s.spawn([&]() -> task<> {
        co_await with_group([&](task_group& g) -> task<> {
          g.spawn(sleeper("child", 1h));
          g.spawn([&]() -> task<> {
            co_await with_supervisor([&](supervisor& inner) -> task<> {
              inner.spawn(sleeper("grandchild", 1h));
              co_return;
            });
            co_await checkpoint();
            note("not reached");
          });
          co_return;
        });
      });
      s.spawn(sleeper("neighbour", 3s));
      co_await sleep_for(1s);
      co_await cancel_and_wait(tree, "enough");
      note("tree ended");
    });
  });
  EXPECT_THAT(journal(),
              UnorderedElementsAre("1s child stopped: enough", "1s grandchild stopped: enough",
                                   "1s tree ended", "3s neighbour done"));
  EXPECT_EQ(journal()[2], "1s tree ended");
}

TEST_P(Parents, AnInnerScopeAbsorbsItsOwnCancelAndTheOuterOneGoesOn) {
  rt_.block_on([&]() -> task<> {
    const auto outer = co_await with_scope([&](cancel_scope&) -> task<> {
      const auto inner = co_await with_scope([&](cancel_scope& scope) -> task<> {
        scope.cancel("inner");
        co_await sleep_for(1h);
      });
      EXPECT_TRUE(inner.cancelled_caught);
      EXPECT_EQ(inner.reason.message(), "inner");
      co_await sleep_for(1s);
      note("outer goes on");
    });
    EXPECT_FALSE(outer.cancelled_caught);
  });
  EXPECT_THAT(journal(), ElementsAre("1s outer goes on"));
}

TEST_P(Parents, AnOuterCancelGoesThroughTheInnerScope) {
  rt_.block_on([&]() -> task<> {
    const auto outer = co_await with_scope([&](cancel_scope& scope) -> task<> {
      co_await with_scope([&](cancel_scope&) -> task<> {
        scope.cancel("outer");
        co_await sleep_for(1h);
      });
      note("not reached");
    });
    EXPECT_TRUE(outer.cancelled_caught);
    note("main goes on");
  });
  EXPECT_THAT(journal(), ElementsAre("0s main goes on"));
}

TEST_P(Parents, OfTwoCancelsEachScopeAbsorbsItsOwn) {
  rt_.block_on([&]() -> task<> {
    const auto outer = co_await with_scope([&](cancel_scope& above) -> task<> {
      const auto inner = co_await with_scope([&](cancel_scope& scope) -> task<> {
        scope.cancel("inner");
        above.cancel("outer");
        co_await sleep_for(1h);
      });
      note("not reached");
      EXPECT_FALSE(inner.cancelled_caught);
    });
    EXPECT_TRUE(outer.cancelled_caught);
    EXPECT_EQ(outer.reason.message(), "outer");
  });
  EXPECT_THAT(journal(), IsEmpty());
}

TEST_P(Parents, AnAwaiterThatIsCancelledLeavesTheTaskAlone) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> shared = spawn(sleeper("shared", 5s));
    const task_handle<> awaiting = spawn([&]() -> task<> {
      co_await shared;
      note("not reached");
    });
    co_await sleep_for(1s);
    co_await cancel_and_wait(awaiting, "not needed");
    co_await shared;
  });
  EXPECT_THAT(journal(), ElementsAre("5s shared done"));
}

}  // namespace
}  // namespace coppice
