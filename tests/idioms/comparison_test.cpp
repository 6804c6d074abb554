// spawn, groups, supervisors and gather compared: a test for each row of the table.
#include <atomic>
#include <thread>

#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class Comparison : public testing_support::idiom_test {
 protected:
  // Runs `body` to its end, whatever that is; gives what it threw, and how long it took.
  template <class Body>
  std::pair<error_entry, duration> end_of(Body body) {
    const duration before = rt_.clock().elapsed();
    error_entry thrown;
    try {
      rt_.block_on(body);
    } catch (...) {
      thrown = error_entry(std::current_exception());
    }
    return {thrown, rt_.clock().elapsed() - before};
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, Comparison, testing::Values(1u, 2u, 4u));

// Whatever ends it, nobody goes on before the last child's cleanup is done.
TEST_P(Comparison, EachOfThemGuaranteesTheCleanupOfItsChildren) {
  const auto in_spawn = [&]() -> task<> {
    spawn(slow_to_stop("child", 3s));
    co_await failing(1s, "body");
  };
  const auto in_group = [&]() -> task<> {
    co_await with_group([&](task_group& g) -> task<> {
      g.spawn(slow_to_stop("child", 3s));
      co_await failing(1s, "body");
    });
  };
  const auto in_supervisor = [&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn(slow_to_stop("child", 3s));
      co_await failing(1s, "body");
    });
  };
  const auto in_gather = [&]() -> task<> {
    co_await gather(slow_to_stop("child", 3s), failing(1s, "body"));
  };
  EXPECT_EQ(end_of(in_spawn).second, 4s);
  EXPECT_EQ(end_of(in_group).second, 4s);
  EXPECT_EQ(end_of(in_supervisor).second, 4s);
  EXPECT_EQ(end_of(in_gather).second, 4s);
  EXPECT_TRUE(rt_.all_tasks().empty());
}

// From the body, from a child, by a handle and from a foreign thread, for as long as it is open.
TEST_P(Comparison, GroupsAndSupervisorsTakeChildrenAtAnyTimeUntilTheyEnd) {
  std::atomic<int> ran{0};
  const auto add_to = [&](auto& scope) -> task<> {
    const auto child = [&ran] { ran.fetch_add(1); };
    scope.spawn(child);
    scope.spawn([handle = scope.handle(), child]() mutable { handle.spawn(child); });
    std::jthread([handle = scope.handle(), child]() mutable { handle.spawn(child); }).join();
    scope.spawn([handle = scope.handle(), child]() mutable -> task<> {
      co_await sleep_for(5s);  // The body has ended long before.
      handle.spawn(child);
    });
    co_return;
  };
  scope_handle after;
  const auto in_group = [&](task_group& g) -> task<> {
    after = g.handle();
    co_await add_to(g);
  };
  rt_.block_on([&]() -> task<> { co_await with_group(in_group); });
  EXPECT_EQ(ran.exchange(0), 4);
  EXPECT_THROW(after.spawn(sleeper("late", 1s)), scope_closed);
  const auto in_supervisor = [&](supervisor& s) -> task<> {
    after = s.handle();
    co_await add_to(s);
  };
  rt_.block_on([&]() -> task<> { co_await with_supervisor(in_supervisor); });
  EXPECT_EQ(ran.load(), 4);
  EXPECT_THROW(after.spawn(sleeper("late", 1s)), scope_closed);
}

// The sibling sleeps for ten seconds; how long all of it takes shows who lets it.
TEST_P(Comparison, GroupsAndGatherCancelTheSiblingsOfAFailureTheOthersDoNot) {
  const auto two_children = [&](auto& scope) -> task<> {
    scope.spawn(failing(1s, "child"));
    scope.spawn(sleeper("sibling", 10s));
    co_return;
  };
  const auto in_group = [&]() -> task<> {
    co_await with_group([&](task_group& g) { return two_children(g); });
  };
  const auto in_patient_group = [&]() -> task<> {
    co_await with_group({.on_failure = on_child_failure::collect_all},
                        [&](task_group& g) { return two_children(g); });
  };
  const auto in_supervisor = [&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) { return two_children(s); });
  };
  const auto in_gather = [&]() -> task<> {
    co_await gather(failing(1s, "child"), sleeper("sibling", 10s));
  };
  const auto settled = [&]() -> task<> {
    co_await gather_settled(failing(1s, "child"), sleeper("sibling", 10s));
  };
  const auto in_spawn = [&]() -> task<> {
    spawn(failing(1s, "child"));
    co_await spawn(sleeper("sibling", 10s));
  };
  EXPECT_EQ(end_of(in_group).second, 1s);
  EXPECT_EQ(end_of(in_gather).second, 1s);
  EXPECT_EQ(end_of(in_patient_group).second, 10s);
  EXPECT_EQ(end_of(in_supervisor).second, 10s);
  EXPECT_EQ(end_of(settled).second, 10s);
  EXPECT_EQ(end_of(in_spawn).second, 10s);
}

// Ended from another tree: a supervisor says how it went, a group is cancelled, and whoever opened
// either goes on behind it.
TEST_P(Comparison, SupervisorsHaveAnExplicitShutdownAndGroupsACancel) {
  rt_.block_on([&]() -> task<> {
    supervisor* service = nullptr;
    const task_handle<> supervising = spawn([&]() -> task<> {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        service = &s;
        s.spawn(sleeper("supervised", 1h));
        s.spawn(sleeper("quick", 2s));
        co_await sleep_for(1h);
      });
      note("behind the supervisor");
    });
    co_await sleep_for(1s);
    const shutdown_report report =
        co_await service->shutdown({.drain = 3s, .grace = 5s}, "new settings");
    EXPECT_EQ(report.finished, 1u);
    EXPECT_EQ(report.failed, 0u);
    EXPECT_TRUE(report.stuck.empty());
    co_await supervising;

    scope_handle group;
    const task_handle<> grouping = spawn([&]() -> task<> {
      co_await with_group([&](task_group& g) -> task<> {
        group = g.handle();
        g.spawn(sleeper("grouped", 1h));
        co_return;
      });
      note("behind the group");
    });
    co_await sleep_for(1s);
    group.cancel("not needed");
    co_await grouping;
  });
  EXPECT_THAT(journal(), ElementsAre("2s quick done", "4s supervised stopped: new settings",
                                     "4s behind the supervisor", "5s grouped stopped: not needed",
                                     "5s behind the group"));
}

// A group throws all its failures when it ends and reports none; a supervisor reports each as it
// happens and throws none; gather throws the first and reports the others.
TEST_P(Comparison, FailuresAreCollectedByGroupsAndReportedAtOnceBySupervisors) {
  const auto children = [&](auto& scope) -> task<> {
    scope.spawn(failing(1s, "first"));
    scope.spawn(failing(2s, "second"));
    scope.spawn(sleeper("sleeper", 3s));
    co_return;
  };
  const auto in_group = [&]() -> task<> {
    co_await with_group({.on_failure = on_child_failure::collect_all},
                        [&](task_group& g) { return children(g); });
  };
  const error_entry collected = end_of(in_group).first;
  EXPECT_EQ(testing_support::leaves_of(collected), "[first, second]");
  EXPECT_THAT(journal(), ElementsAre("3s sleeper done"));

  const auto in_supervisor = [&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) { return children(s); });
  };
  EXPECT_EQ(end_of(in_supervisor).first.error(), nullptr);
  EXPECT_THAT(journal(), ElementsAre("3s sleeper done", "4s reported first", "5s reported second",
                                     "6s sleeper done"));

  const auto in_gather = [&]() -> task<> {
    co_await gather(failing(1s, "naked"), failing_when_stopped("beside it"));
  };
  EXPECT_EQ(end_of(in_gather).first.message(), "naked");
  EXPECT_THAT(reports_.messages(), ElementsAre("beside it", "first", "second"));
}

// A child's value, or what its failure carries, lives no longer than somebody holds on to it.
TEST_P(Comparison, ResultsAreCollectedByGatherAndKeptBySupervisorsForNobody) {
  const auto shared = std::make_shared<int>(7);
  const auto giving = [](std::shared_ptr<int> given) -> task<std::shared_ptr<int>> {
    co_await yield();
    co_return given;
  };
  const auto throwing = [](std::shared_ptr<int> given) -> task<> {
    co_await yield();
    throw given;
  };
  rt_.set_error_handler([](const error_report&) {});  // Keeps no report either.
  rt_.block_on([&]() -> task<> {
    const auto [a, b] = co_await gather(giving(shared), giving(shared));
    EXPECT_TRUE(a == shared && b == shared);
  });
  EXPECT_EQ(shared.use_count(), 1);
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      task_handle<std::shared_ptr<int>> held = s.spawn(giving, shared);
      for (int i = 0; i != 1'000; ++i) {
        s.spawn(giving, shared);
        s.spawn(throwing, shared);
      }
      co_await wait_all_tasks_blocked();
      EXPECT_EQ(s.size(), 0u);
      EXPECT_EQ(shared.use_count(), 2);  // What the handle holds, and ours.
      held = {};
      EXPECT_EQ(shared.use_count(), 1);
    });
  });
}

}  // namespace
}  // namespace coppice
