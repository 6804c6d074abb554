// What tasks and scopes are called, and what a running task can say of its place in the tree.
#include <coppice/gather.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::sleeper;

class Names : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, Names, testing::Values(1u, 2u, 4u));

// The scopes of the current task that have a name, innermost first.
std::vector<std::string> named_scopes() {
  std::vector<std::string> names;
  for (const std::string_view each : this_task::scopes()) {
    if (!each.empty()) {
      names.emplace_back(each);
    }
  }
  return names;
}

std::vector<std::string> first_two(const std::vector<std::string>& names) {
  return {names.begin(), names.begin() + (names.size() < 2 ? 0 : 2)};
}

using names = std::vector<std::string>;

// ---- Of tasks -----------------------------------------------------------------------------------

TEST_P(Names, OfATaskAreCopiedBySpawn) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      std::string name = "a name that is too long for any small buffer";
      const task_handle<std::string> child =
          s.spawn({.name = name}, [] { return std::string(this_task::name()); });
      name.assign(name.size(), '-');
      const std::string seen = co_await child;
      EXPECT_EQ(seen, "a name that is too long for any small buffer");
      EXPECT_EQ(child.name(), "a name that is too long for any small buffer");
    });
  });
}

TEST_P(Names, OfATaskMayBeChangedByItself) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn({.name = "before"}, []() -> task<> {
      this_task::rename("after");
      EXPECT_EQ(this_task::name(), "after");
      co_await sleep_for(1h);
    });
    co_await sleep_for(1s);
    EXPECT_EQ(child.name(), "after");
    child.cancel();
  });
}

TEST_P(Names, TheSiteOfASupervisorsChildIsItsSpawn) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([](supervisor& s) -> task<> {
      const task_handle<> plain = s.spawn(sleeper(1s));
      const std::uint32_t plain_line = __builtin_LINE() - 1;
      const task_handle<> named = s.spawn({.name = "named"}, sleeper, 1s);
      const std::uint32_t named_line = __builtin_LINE() - 1;
      EXPECT_EQ(plain.site().line, plain_line);
      EXPECT_EQ(named.site().line, named_line);
      EXPECT_NE(std::string_view(plain.site().file).find("names_test"), std::string_view::npos);
      co_return;
    });
  });
}

TEST_P(Names, IdsAreNeverUsedTwice) {
  std::set<task_id> ids;
  for (int i = 0; i != 2; ++i) {
    test_runtime rt{{.workers = GetParam()}};
    rt.block_on([&]() -> task<> {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        for (int k = 0; k != 100; ++k) {
          EXPECT_TRUE(ids.insert(s.spawn([] {}).id()).second);
        }
        co_return;
      });
    });
  }
  EXPECT_FALSE(ids.contains(task_id::none));
}

// ---- Of scopes ----------------------------------------------------------------------------------

TEST_P(Names, OfAScopeAreCopiedAtItsOpening) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    std::string name = "a name that is too long for any small buffer";
    const std::string copy = name;
    co_await with_supervisor({.name = name}, [&](supervisor& s) -> task<> {
      name.assign(name.size(), '-');
      EXPECT_EQ(s.name(), copy);
      EXPECT_EQ(s.handle().name(), copy);
      EXPECT_EQ(current_scope().name(), copy);
      co_return;
    });
  });
}

TEST_P(Names, AHandleKeepsTheNameOfAScopeThatIsGone) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    scope_handle handle;
    EXPECT_FALSE(static_cast<bool>(handle));
    EXPECT_TRUE(handle.closed());
    co_await with_supervisor({.name = "gone"}, [&](supervisor& s) -> task<> {
      handle = s.handle();
      co_return;
    });
    EXPECT_TRUE(handle.closed());
    EXPECT_EQ(handle.name(), "gone");
  });
}

TEST_P(Names, ScopesAreListedFromTheInnermostOut) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "outer"}, [&](supervisor&) -> task<> {
      co_await with_scope({.name = "inner"}, [&]() -> task<> {
        EXPECT_EQ(first_two(named_scopes()), (names{"inner", "outer"}));
        co_return;
      });
      EXPECT_EQ(named_scopes().at(0), "outer") << "the inner one has been left";
    });
    EXPECT_THAT(named_scopes(), testing::Not(testing::Contains("outer")));
  });
}

TEST_P(Names, ScopesGoOnThroughTheHostsOfTheTasks) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "jobs"}, [&](supervisor& s) -> task<> {
      const task_handle<> child = s.spawn([]() -> task<> {
        co_await with_group({.name = "parts"}, [](task_group& g) -> task<> {
          g.spawn([] { EXPECT_EQ(first_two(named_scopes()), (names{"parts", "jobs"})); });
          co_return;
        });
        EXPECT_EQ(named_scopes().at(0), "jobs");
      });
      co_await child;
    });
  });
}

TEST_P(Names, ScopesAreThoseOfTheSpawnAndNotOfTheSpawner) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "jobs"}, [&](supervisor& s) -> task<> {
      co_await with_scope({.name = "beside"}, [&]() -> task<> {
        const task_handle<> child = s.spawn([] {
          EXPECT_EQ(named_scopes().at(0), "jobs");
          EXPECT_THAT(named_scopes(), testing::Not(testing::Contains("beside")));
        });
        co_await child;
      });
    });
  });
}

TEST_P(Names, ScopesAreSeenInGathersChildrenToo) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_scope({.name = "around"}, [&]() -> task<> {
      const auto look = []() -> task<> {
        EXPECT_EQ(named_scopes().at(0), "around");
        co_return;
      };
      co_await gather(look(), look());
    });
  });
}

// ---- Parents ------------------------------------------------------------------------------------

TEST_P(Names, TheParentHostsTheScope) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_id main = this_task::id();
    co_await with_supervisor([&](supervisor& s) -> task<> {
      EXPECT_EQ(this_task::id(), main) << "the body belongs to the host";
      const task_handle<> child = s.spawn([&]() -> task<> {
        EXPECT_EQ(this_task::parent(), main);
        const task_id mine = this_task::id();
        EXPECT_NE(mine, main);
        const task_handle<> sibling = s.spawn([&] { EXPECT_EQ(this_task::parent(), main); });
        co_await sibling;
        co_await with_group([&](task_group& g) -> task<> {
          g.spawn([mine] { EXPECT_EQ(this_task::parent(), mine); });
          co_return;
        });
      });
      co_await child;
    });
  });
}

TEST_P(Names, AtTheRootThereIsNoParent) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on(
      [&]() -> task<> { co_await spawn([] { EXPECT_EQ(this_task::parent(), task_id::none); }); });
}

TEST_P(Names, GathersChildrenAreTheTaskItself) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_id main = this_task::id();
    const auto look = [&]() -> task<> {
      EXPECT_EQ(this_task::id(), main);
      co_return;
    };
    co_await gather(look(), look());
  });
}

TEST(NamesOutside, OnlyTasksHaveAPlace) {
  EXPECT_EQ(this_task::id(), task_id::none);
  EXPECT_THROW((void)this_task::name(), usage_error);
  EXPECT_THROW((void)this_task::ref(), usage_error);
  EXPECT_THROW((void)this_task::parent(), usage_error);
  EXPECT_THROW((void)this_task::scopes(), usage_error);
  EXPECT_THROW((void)this_task::token(), usage_error);
  EXPECT_THROW(this_task::rename("nobody"), usage_error);
  EXPECT_THROW((void)current_scope(), usage_error);
}

// ---- Of those who cancel ------------------------------------------------------------------------

TEST_P(Names, AReasonTellsWhoCancelledAndWhere) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    task_id who = task_id::none;
    std::uint32_t line = 0;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      child = s.spawn(sleeper(1h));
      spawn([&] {
        who = this_task::id();
        line = __builtin_LINE() + 1;
        s.cancel("by another");
      });
      co_await sleep_for(1h);
    });
    const cancel_reason reason = child.result().reason();
    EXPECT_EQ(reason.by(), who);
    EXPECT_EQ(reason.where().line, line);
  });
}

TEST_P(Names, ACancelledTaskIsNamedByWhatItsAwaiterGets) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn(sleeper(1h));
    child.cancel("not wanted");
    task_id which = task_id::none;
    std::string why;
    try {
      co_await child;
    } catch (const task_cancelled& cancelled) {
      which = cancelled.id();
      why = cancelled.reason().message();
    }
    EXPECT_EQ(which, child.id());
    EXPECT_EQ(why, "not wanted");
  });
}

}  // namespace
}  // namespace coppice
