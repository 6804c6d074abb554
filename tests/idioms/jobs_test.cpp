// Jobs that go on when one of them fails, for as long as the supervisor lives.
#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::ElementsAre;

class JobsThatGoOn : public testing_support::idiom_test {};

INSTANTIATE_TEST_SUITE_P(Workers, JobsThatGoOn, testing::Values(1u, 2u, 4u));

TEST_P(JobsThatGoOn, OneFailsAndTheOthersFinish) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "jobs"}, [&](supervisor& s) -> task<> {
      s.spawn(sleeper("a", 2s));
      s.spawn(failing(1s, "b failed"));
      s.spawn(sleeper("c", 3s));
      co_return;
    });
    note("all ended");
  });
  EXPECT_THAT(journal(),
              ElementsAre("1s reported b failed", "2s a done", "3s c done", "3s all ended"));
}

TEST_P(JobsThatGoOn, AFailureIsReportedAtOnceWithItsNameAndItsScope) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "jobs"}, [&](supervisor& s) -> task<> {
      s.spawn({.name = "index"}, failing(1s, "disk full"));
      co_await sleep_for(1h);
      EXPECT_EQ(reports_.size(), 1u);
    });
  });
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].origin, error_origin::child);
  EXPECT_EQ(told[0].entry.name(), "index");
  EXPECT_EQ(told[0].scope, "jobs");
  EXPECT_THAT(told[0].parents, testing::Contains("jobs"));
  EXPECT_EQ(journal().front(), "1s reported disk full");
}

TEST_P(JobsThatGoOn, TheSupervisorsOwnHandlerIsNearerThanTheRuntimes) {
  testing_support::report_log own;
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(own.handler());
      s.spawn(failing(1s, "disk full"));
      co_return;
    });
  });
  EXPECT_THAT(own.messages(), ElementsAre("disk full"));
  EXPECT_EQ(reports_.size(), 0u);
}

TEST_P(JobsThatGoOn, WhoeverAwaitsAJobGetsItsFailureAndItIsReportedAllTheSame) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      const task_handle<> job = s.spawn(failing(1s, "disk full"));
      const outcome<> end = co_await as_result(job);
      EXPECT_EQ(end.entry().message(), "disk full");
    });
  });
  EXPECT_THAT(reports_.messages(), ElementsAre("disk full"));
}

TEST_P(JobsThatGoOn, AHundredFailuresAreAHundredReportsAndNothingIsThrown) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      for (int i = 0; i != 100; ++i) {
        s.spawn(failing(i % 10 * 1s, "job failed"));
      }
      co_return;
    });
  });
  EXPECT_EQ(reports_.size(), 100u);
  EXPECT_THAT(reports_.messages(), Each("job failed"));
}

TEST_P(JobsThatGoOn, ACancelledJobIsNoFailure) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      const task_handle<> unwanted = s.spawn(sleeper("unwanted", 1h));
      s.spawn(sleeper("wanted", 3s));
      co_await sleep_for(1s);
      unwanted.cancel("not wanted");
    });
  });
  EXPECT_THAT(journal(), ElementsAre("1s unwanted stopped: not wanted", "3s wanted done"));
}

TEST_P(JobsThatGoOn, TheHandlerMayReplaceTheJobThatFailed) {
  scope_handle jobs;
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      jobs = s.handle();
      s.on_error([&](const error_report& report) {
        note(report.entry.message());
        jobs.spawn(sleeper("substitute", 2s));
      });
      s.spawn(failing(1s, "disk full"));
      co_return;
    });
  });
  EXPECT_THAT(journal(), ElementsAre("1s disk full", "3s substitute done"));
}

TEST_P(JobsThatGoOn, AHandlerThatThrowsHarmsNobodyAndIsReportedFurtherOut) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error([](const error_report&) { throw std::logic_error("handler failed"); });
      s.spawn(failing(1s, "disk full"));
      s.spawn(sleeper("other", 2s));
      co_return;
    });
  });
  EXPECT_THAT(journal(), ElementsAre("1s reported handler failed", "2s other done"));
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].origin, error_origin::handler);
}

TEST_P(JobsThatGoOn, TheBodysOwnFailureEndsThemAndLeavesNaked) {
  const auto body = [&](supervisor& s) -> task<> {
    s.spawn(sleeper("job", 1h));
    co_await failing(1s, "bad settings");
  };
  const outcome<> end = rt_.block_on(
      [&]() -> task<outcome<>> { co_return co_await as_result(with_supervisor(body)); });
  EXPECT_EQ(end.entry().message(), "bad settings");
  EXPECT_EQ(end.entry().get_if<exception_group>(), nullptr);
  EXPECT_EQ(journal().size(), 1u);
  EXPECT_EQ(reports_.size(), 0u);
}

TEST_P(JobsThatGoOn, AGroupInAJobFailsAloneAndAsAWhole) {
  const auto pair = [&](task_group& g) -> task<> {
    g.spawn(failing(1s, "disk full"));
    g.spawn(sleeper("partner", 5s));
    co_return;
  };
  const auto job = [&]() -> task<> { co_await with_group(pair); };
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn({.name = "pair"}, job);
      s.spawn(sleeper("other", 2s));
      co_return;
    });
  });
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(testing_support::leaves_of(told[0].entry), "[disk full]");
  EXPECT_EQ(journal().front(), "1s partner stopped: sibling_failed");
  EXPECT_EQ(journal().back(), "2s other done");
}

}  // namespace
}  // namespace coppice
