// What a dump says of the tree: scopes, parents, what is waited for and since when, shields, requests.
#include <coppice/dump.h>
#include <coppice/gather.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/json.h"
#include "tests/support/load.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::HasSubstr;
using testing_support::is_json;
using testing_support::rounds;
using testing_support::shielded_sleeper;
using testing_support::sleeper;

class DumpScopes : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, DumpScopes, testing::Values(1u, 2u, 4u));

std::optional<task_info> info_of(const task_ref& wanted) {
  for (task_info& each : all_tasks()) {
    if (each.task == wanted) {
      return std::move(each);
    }
  }
  return std::nullopt;
}

std::string dumped(dump_format format = dump_format::text) {
  std::ostringstream out;
  dump_tasks(out, format);
  return out.str();
}

// ---- Where a task belongs -----------------------------------------------------------------------

TEST_P(DumpScopes, TellTheScopeAndTheParentOfEachTask) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "jobs"}, [&](supervisor& s) -> task<> {
      task_handle<> leaf;
      const task_handle<> child = s.spawn({.name = "child"}, [&]() -> task<> {
        co_await with_group({.name = "parts"}, [&](task_group& g) -> task<> {
          leaf = g.spawn({.name = "leaf"}, sleeper, 1h);
          co_await sleep_for(1h);
        });
      });
      co_await sleep_for(1s);
      const std::optional<task_info> of_child = info_of(child);
      const std::optional<task_info> of_leaf = info_of(leaf);
      EXPECT_TRUE(of_child && of_leaf);
      if (of_child && of_leaf) {
        EXPECT_EQ(of_child->scope, "jobs");
        EXPECT_EQ(of_child->parent, this_task::id());
        EXPECT_EQ(of_leaf->scope, "parts");
        EXPECT_EQ(of_leaf->parent, child.id());
        EXPECT_EQ(of_leaf->name, "leaf");
      }
      s.cancel();
    });
  });
}

TEST_P(DumpScopes, TasksOfTheRootHaveNoParent) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn(sleeper(1h));
    const std::optional<task_info> info = info_of(child);
    EXPECT_TRUE(info.has_value());
    EXPECT_EQ(info ? info->parent : this_task::id(), task_id::none);
    co_return;
  });
}

TEST_P(DumpScopes, ChildrenOfGatherAreFramesOfTheirTask) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_handle<> gathering =
        spawn([]() -> task<> { co_await gather(sleeper(1h), sleeper(1h), sleeper(1h)); });
    co_await sleep_for(1s);
    EXPECT_EQ(all_tasks().size(), 2u) << dumped();
    const std::optional<task_info> info = info_of(gathering);
    EXPECT_TRUE(info && info->status == task_status::suspended && !info->waiting_for.empty());
  });
}

TEST_P(DumpScopes, HaveParentsBeforeTheirChildren) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      for (int i = 0; i != 5; ++i) {
        s.spawn([]() -> task<> {
          co_await with_group([](task_group& g) -> task<> {
            for (int k = 0; k != 3; ++k) {
              g.spawn(sleeper(1h));
            }
            co_return;
          });
        });
      }
      co_await sleep_for(1s);
      std::map<task_id, std::size_t> places;
      for (const task_info& each : all_tasks()) {
        EXPECT_TRUE(each.parent == task_id::none || places.contains(each.parent));
        places.emplace(each.id, places.size());
      }
      EXPECT_EQ(places.size(), 1u + 5u + 15u);
      s.cancel();
    });
  });
}

// ---- What it waits for --------------------------------------------------------------------------

TEST_P(DumpScopes, TellWhatIsWaitedForAndSinceWhen) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn([]() -> task<> {
      co_await sleep_for(3s);
      co_await sleep_for(1h);
    });
    const task_handle<> waiting = spawn([&]() -> task<> { co_await child; });
    co_await sleep_for(10s);
    const std::optional<task_info> of_child = info_of(child);
    const std::optional<task_info> of_waiting = info_of(waiting);
    EXPECT_TRUE(of_child && of_waiting);
    if (of_child && of_waiting) {
      EXPECT_EQ(of_child->status, task_status::suspended);
      EXPECT_THAT(of_child->waiting_for, HasSubstr("sleep"));
      EXPECT_EQ(of_child->age, 10s);
      EXPECT_GE(of_child->waiting, 7s - 1ms);
      EXPECT_LE(of_child->waiting, 7s + 1ms) << "since its second wait";
      EXPECT_FALSE(of_waiting->waiting_for.empty());
      EXPECT_GE(of_waiting->waiting, 10s - 1ms);
    }
  });
}

TEST_P(DumpScopes, ARunningTaskWaitsForNothing) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await sleep_for(1s);
    const std::optional<task_info> mine = info_of(this_task::ref());
    EXPECT_TRUE(mine.has_value());
    if (mine) {
      EXPECT_EQ(mine->status, task_status::running);
      EXPECT_EQ(mine->waiting_for, "");
      EXPECT_EQ(mine->waiting, 0ns);
    }
  });
}

// ---- Requests and shields -----------------------------------------------------------------------

TEST(DumpScopesOneWorker, A2ARequestIsSeenOnAllBelowAtOnce) {
  test_runtime rt{{.workers = 1}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      const task_handle<> child = s.spawn(sleeper(1h));
      const task_handle<> elsewhere = spawn(sleeper(1h));
      co_await sleep_for(1s);
      EXPECT_FALSE(info_of(child)->cancel_requested);
      s.cancel("all of it");
      const std::optional<task_info> info = info_of(child);
      EXPECT_TRUE(info && info->cancel_requested) << "it has had no time to stop";
      EXPECT_FALSE(info_of(elsewhere)->cancel_requested);
    });
  });
}

TEST_P(DumpScopes, TellWhoIsShielded) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_handle<> shielded = spawn({.name = "resists"}, shielded_sleeper, 1h);
    const task_handle<> open = spawn(sleeper(1h));
    co_await sleep_for(1s);
    EXPECT_TRUE(info_of(shielded)->shielded);
    EXPECT_FALSE(info_of(open)->shielded);
    EXPECT_FALSE(info_of(shielded)->cancel_requested);
    shielded.cancel("not yet");
    open.cancel("now");
    co_await sleep_for(1s);
    const std::optional<task_info> info = info_of(shielded);
    EXPECT_TRUE(info && info->shielded && info->cancel_requested);
    EXPECT_FALSE(info_of(open).has_value());
    EXPECT_THAT(dumped(), HasSubstr("shield"));
  });
}

// ---- As text and as JSON ------------------------------------------------------------------------

TEST_P(DumpScopes, TheTextNamesScopesAndIndentsChildren) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "the jobs"}, [&](supervisor& s) -> task<> {
      s.spawn({.name = "outer"}, []() -> task<> {
        co_await with_group({.name = "the parts"}, [](task_group& g) -> task<> {
          g.spawn({.name = "inner"}, sleeper, 1h);
          co_return;
        });
      });
      co_await sleep_for(1s);
      const std::string text = dumped();
      EXPECT_THAT(text, HasSubstr("the jobs"));
      EXPECT_THAT(text, HasSubstr("the parts"));
      const auto indentation = [&](std::string_view name) {
        const std::size_t at = text.find(name);
        const std::size_t line = at == std::string::npos ? 0 : text.rfind('\n', at) + 1;
        return text.find_first_not_of(' ', line) - line;
      };
      EXPECT_LT(indentation("\"outer\""), indentation("\"inner\"")) << text;
      s.cancel();
    });
  });
}

TEST_P(DumpScopes, TheJsonHoldsWhateverAScopeIsCalled) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "quote \" backslash \\ line\n \xff"},
                             [&](supervisor& s) -> task<> {
                               s.spawn(shielded_sleeper(1s));
                               co_await sleep_for(1ms);
                               const std::string json = dumped(dump_format::json);
                               EXPECT_TRUE(is_json(json)) << json;
                               EXPECT_THAT(json, HasSubstr("quote \\\" backslash"));
                               EXPECT_THAT(json, HasSubstr("shielded"));
                             });
  });
}

// ---- While others run ---------------------------------------------------------------------------

TEST(DumpScopesForeign, A17ShowATaskThatHoldsTheOnlyWorker) {
  std::latch running(1);
  std::latch released(1);
  runtime rt({.threads = 1});
  std::jthread calling([&] {
    rt.block_on([&]() -> task<> {
      co_await with_supervisor({.name = "stuck here"}, [&](supervisor& s) -> task<> {
        s.spawn({.name = "computing"}, [&] {
          running.count_down();
          released.wait();
        });
        co_return;
      });
    });
  });
  running.wait();
  std::ostringstream text;
  rt.dump_tasks(text);
  EXPECT_THAT(text.str(), HasSubstr("computing"));
  EXPECT_THAT(text.str(), HasSubstr("stuck here"));
  EXPECT_THAT(text.str(), HasSubstr("running"));
  released.count_down();
}

TEST(DumpScopesForeign, AreTakenWhileAThousandTasksOpenAndLeaveScopes) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::atomic<bool> enough{false};
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    const auto churn = [&](unsigned mine) -> task<> {
      std::minstd_rand random(mine);
      const auto short_lived = [&](task_group& g) -> task<> {
        g.spawn({.name = "child"}, sleeper, std::chrono::microseconds(random() % 50));
        if (random() % 4 == 0) {
          g.cancel();
        }
        co_await yield();
      };
      while (!enough.load(std::memory_order_relaxed)) {
        co_await with_group({.name = "short-lived"}, short_lived);
      }
    };
    co_await with_supervisor({.name = "churning"}, [&](supervisor& s) -> task<> {
      std::minstd_rand random(seed);
      for (int i = 0; i != 1'000; ++i) {
        s.spawn(churn, static_cast<unsigned>(random()));
      }
      std::jthread watching([&] {
        for (long i = rounds(1'000, 20); i != 0; --i) {
          std::ostringstream json;
          rt.dump_tasks(json, dump_format::json);
          EXPECT_TRUE(is_json(json.str()));
          const std::vector<task_info> tasks = rt.all_tasks();
          EXPECT_GE(tasks.size(), 1'000u);
          EXPECT_TRUE(std::any_of(tasks.begin(), tasks.end(),
                                  [](const task_info& each) { return each.scope == "churning"; }));
        }
        enough = true;
      });
      while (!enough) {
        co_await yield();
      }
    });
  });
}

}  // namespace
}  // namespace coppice
