// Fire and forget without losing an error: spawned tasks are retained, reported, listed, ended.
#include <map>

#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

class SpawnIdiom : public testing_support::idiom_test {};

INSTANTIATE_TEST_SUITE_P(Workers, SpawnIdiom, testing::Values(1u, 2u, 4u));

// Looks up a setting by a name that nobody has set.
task<int> mistyped(const std::map<std::string, int>& settings) {
  co_await yield();
  co_return settings.at("tiemout");
}

std::vector<std::string> names(const std::vector<task_info>& tasks) {
  std::vector<std::string> all;
  for (const task_info& each : tasks) {
    all.push_back(each.name);
  }
  return all;
}

TEST_P(SpawnIdiom, RetainsATaskWhoseHandleWasDropped) {
  rt_.block_on([&]() -> task<> {
    spawn(sleeper("forgotten", 5s));
    co_await sleep_for(10s);
    note("main done");
  });
  EXPECT_THAT(journal(), ElementsAre("5s forgotten done", "10s main done"));
}

TEST_P(SpawnIdiom, ReportsAFailureAtOnceWhileMainGoesOn) {
  rt_.block_on([&]() -> task<> {
    spawn(failing(1s, "disk full"));
    co_await sleep_for(1h);
    note("main done");
  });
  EXPECT_THAT(journal(), ElementsAre("1s reported disk full", "3600s main done"));
}

TEST_P(SpawnIdiom, FindsATypoAtOnceThoughTheHandleIsKept) {
  const std::map<std::string, int> settings{{"timeout", 30}};
  rt_.block_on([&]() -> task<> {
    const task_handle<int> kept = spawn({.name = "typo"}, mistyped(settings));
    co_await sleep_for(1h);  // Nobody looks at the handle.
    EXPECT_EQ(reports_.size(), 1u);
    EXPECT_EQ(kept.status(), task_status::failed);
  });
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].entry.get_if<std::out_of_range>(), nullptr);
  EXPECT_EQ(told[0].entry.name(), "typo");
  EXPECT_EQ(told[0].origin, error_origin::child);
  EXPECT_THAT(journal(), ElementsAre(HasSubstr("0s reported")));
}

TEST_P(SpawnIdiom, TheReportSaysWhereTheTaskWasSpawned) {
  source_site here;
  rt_.block_on([&]() -> task<> {
    here = source_site::current();
    spawn({.name = "typo"}, failing(0s, "unknown name"));
    co_await sleep_for(1s);
  });
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_STREQ(told[0].entry.site().file, here.file);
  EXPECT_EQ(told[0].entry.site().line, here.line + 1);
}

TEST_P(SpawnIdiom, AFailureThatWasReportedIsStillThrownToALateAwaiter) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> kept = spawn(failing(1s, "disk full"));
    co_await sleep_for(5s);
    const outcome<> end = co_await as_result(kept);
    EXPECT_TRUE(end.failed());
    EXPECT_EQ(end.entry().message(), "disk full");
  });
  EXPECT_THAT(reports_.messages(), ElementsAre("disk full"));
}

TEST_P(SpawnIdiom, AFailureThatAnAwaiterWaitsForIsTheAwaitersAlone) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> wanted = spawn(failing(1s, "disk full"));
    const outcome<> end = co_await as_result(wanted);
    EXPECT_EQ(end.entry().message(), "disk full");
  });
  EXPECT_EQ(reports_.size(), 0u);
}

TEST_P(SpawnIdiom, AFailureConcernsNobodyElse) {
  rt_.block_on([&]() -> task<> {
    spawn(failing(1s, "disk full"));
    spawn(sleeper("other", 2s));
    co_await sleep_for(3s);
    note("main done");
  });
  EXPECT_THAT(journal(), ElementsAre("1s reported disk full", "2s other done", "3s main done"));
}

TEST_P(SpawnIdiom, ListsTheTasksThatLive) {
  rt_.block_on([&]() -> task<> {
    spawn({.name = "short"}, sleeper("short", 1s));
    spawn({.name = "long"}, sleeper("long", 5s));
    co_await wait_all_tasks_blocked();
    EXPECT_THAT(names(all_tasks()), IsSupersetOf({"short", "long"}));
    co_await sleep_for(2s);
    EXPECT_THAT(names(all_tasks()), testing::Contains("long"));
    EXPECT_THAT(names(all_tasks()), Not(testing::Contains("short")));
  });
}

TEST_P(SpawnIdiom, TheListSaysWhatATaskWaitsForAndWhetherItIsToStop) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> waiting = spawn({.name = "waiting"}, slow_to_stop("waiting", 4s));
    co_await sleep_for(3s);
    waiting.cancel("enough");
    co_await wait_all_tasks_blocked();
    for (const task_info& each : all_tasks()) {
      if (each.name == "waiting") {
        note(each.waiting_for);
        EXPECT_EQ(each.status, task_status::suspended);
        EXPECT_EQ(each.age, 3s);
        EXPECT_TRUE(each.cancel_requested);
      }
    }
  });
  EXPECT_THAT(journal(), ElementsAre("3s sleep_for"));
}

TEST_P(SpawnIdiom, WhatIsLeftAtTheEndIsCancelledAndAwaited) {
  task_handle<> left;
  rt_.block_on([&]() -> task<> {
    left = spawn(sleeper("left", 1h));
    co_await sleep_for(2s);
    note("main done");
  });
  EXPECT_EQ(left.status(), task_status::cancelled);
  EXPECT_THAT(journal(), ElementsAre("2s main done", "2s left stopped: shutdown"));
  EXPECT_THAT(rt_.all_tasks(), IsEmpty());
  EXPECT_EQ(reports_.size(), 0u);  // It did as it was told: no failure.
}

TEST_P(SpawnIdiom, WhatIsLeftAndFailsAtTheEndIsReported) {
  rt_.block_on([&]() -> task<> {
    spawn(failing_when_stopped("could not save"));
    co_await sleep_for(2s);
  });
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].entry.message(), "could not save");
  ASSERT_NE(told[0].entry.context(), nullptr);
  EXPECT_EQ(told[0].entry.context()->kind(), cancel_kind::shutdown);
}

TEST_P(SpawnIdiom, MainsOwnFailureIsThrownAfterTheOthersHaveEnded) {
  const auto main = [&]() -> task<> {
    spawn(slow_to_stop("left", 3s));
    co_await failing(1s, "main failed");
  };
  EXPECT_THROW(rt_.block_on(main), std::runtime_error);
  EXPECT_EQ(rt_.clock().elapsed(), 4s);
  EXPECT_EQ(reports_.size(), 0u);
}

TEST_P(SpawnIdiom, OneHookHearsOfAllThatNobodyTakesAndCanBeExchanged) {
  testing_support::report_log other;
  const error_handler before = rt_.set_error_handler(other.handler());
  rt_.block_on([&]() -> task<> {
    spawn(failing(1s, "first"));
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn(failing(2s, "second"));
      co_return;
    });
  });
  EXPECT_THAT(other.messages(), ElementsAre("first", "second"));
  EXPECT_EQ(reports_.size(), 0u);
  rt_.set_error_handler(before);
  rt_.block_on([&]() -> task<> {
    spawn(failing(1s, "third"));
    co_await sleep_for(2s);
  });
  EXPECT_EQ(other.size(), 2u);
  EXPECT_THAT(reports_.messages(), ElementsAre("third"));
}

}  // namespace
}  // namespace coppice
