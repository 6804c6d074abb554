// Specified children that are still there when their time is over.
#include <coppice/awaiter.h>
#include <coppice/supervisor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/captured_stderr.h"
#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::captured_stderr;
using testing_support::has_child;
using testing_support::settled;
using testing_support::stage;
using testing_support::task_of;
using testing_support::texts;

class StuckChild : public testing_support::tree_test {
 protected:
  // Waits for what no request ends, until it is let go.
  task<> hold() {
    const auto begin = [this](completion<> done) { held_ = done; };
    const auto ask = []() noexcept {};
    co_await perform<void>(begin, ask);
    ++ended_;
  }
  child_spec held(const std::string& id) {
    return child_spec(id, [this] { return hold(); }).shutdown(2s);
  }
  void let_go() { std::exchange(held_, std::nullopt)->complete(); }

  const captured_stderr printed_;
  std::optional<completion<>> held_;
  int ended_ = 0;
  stage on_;
  test_runtime rt_{{.workers = GetParam(), .settings = {.cancel_watchdog = forever}}};
};
INSTANTIATE_TEST_SUITE_P(Workers, StuckChild, testing::Values(1u, 2u, 4u));

TEST_P(StuckChild, IsNamedAndWaitedForWithoutItsShields) {
  on_.stop_takes("b", 1h);
  rt_.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {on_.child("a"), on_.child("b").shutdown(2s)};
    const auto body = [&](supervisor& s) -> task<> {
      const shutdown_report report = co_await s.shutdown();
      EXPECT_EQ(report.stuck.size(), 1u);
      if (!report) {
        EXPECT_EQ(report.stuck[0].name, "b");
        EXPECT_EQ(report.stuck[0].waiting_for, "sleep_for");
      }
    };
    co_await with_supervisor({.name = "jobs"}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
  EXPECT_EQ(on_.take(), (texts{"+a", "+b", "-b", "-a"}));
  EXPECT_THAT(printed_.text(), HasSubstr("supervisor \"jobs\" waits for 1 task(s)"));
  EXPECT_THAT(printed_.text(), HasSubstr("\"b\" suspended on sleep_for"));
}

TEST_P(StuckChild, ThatNothingEndsIsWaitedForAndHoldsUpThoseBefore) {
  rt_.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {on_.child("a"), held("b")};
    const task_handle<> helper = spawn([&]() -> task<> {
      co_await sleep_for(1h);
      EXPECT_EQ(on_.take(), (texts{"+a"}));
      let_go();
    });
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      co_await s.shutdown();
    };
    co_await with_supervisor({}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 1h);
    EXPECT_EQ(on_.take(), (texts{"-a"}));
    co_await helper;
  });
}

TEST_P(StuckChild, IsLeftToTheRootOnceTheOthersHaveStopped) {
  on_.stop_takes("a", 1s);
  rt_.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {on_.child("a"), held("b")};
    shutdown_report report;
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      s.request_shutdown();
      co_await sleep_for(1h);
    };
    co_await with_supervisor({.stuck = on_stuck::leave_to_root}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 3s + 1us);
    EXPECT_EQ(on_.take(), (texts{"+a", "-a"}));
    EXPECT_EQ(ended_, 0);
    let_go();
    co_await settled();
    EXPECT_EQ(ended_, 1);
  });
}

TEST_P(StuckChild, ThatIsLeftKeepsItsShield) {
  rt_.block_on([&]() -> task<> {
    const auto resist = [&ended = ended_]() -> task<> {
      co_await shield(sleep_for(1h));
      ++ended;
    };
    const std::vector<child_spec> specs = {child_spec("b", resist).shutdown(2s)};
    manual_supervisor s{{.stuck = on_stuck::leave_to_root}};
    s.open();
    co_await s.start_child(specs[0]);
    co_await settled();
    const shutdown_report report = co_await s.shutdown();
    EXPECT_EQ(report.stuck.size(), 1u);
    EXPECT_EQ(test_clock().elapsed(), 2s + 1us);
    EXPECT_EQ(ended_, 0);
  });
  EXPECT_EQ(ended_, 1) << "the root has awaited it";
}

TEST_P(StuckChild, InARestartOfAllIsWaitedFor) {
  on_.stop_takes("b", 1h);
  rt_.set_error_handler([](const error_report&) {});
  rt_.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {on_.child("a"), on_.child("b").shutdown(2s)};
    const auto body = [&](supervisor& s) -> task<> {
      on_.take();
      on_.fail("a");
      co_await sleep_for(2s - 1ns);
      EXPECT_EQ(on_.take(), (texts{"-a"}));
      co_await sleep_for(2ns);
      EXPECT_EQ(on_.take(), (texts{"-b", "+a", "+b"}));
      on_.stop_takes("b", 0s);
      co_await s.shutdown();
    };
    co_await with_supervisor({.strategy = restart_strategy::one_for_all}, specs, body);
  });
  EXPECT_THAT(printed_.text(), HasSubstr("\"b\" suspended on sleep_for"));
}

TEST_P(StuckChild, InARestartOfAllIsLeftBehindAndStartedAnew) {
  rt_.set_error_handler([](const error_report&) {});
  rt_.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {on_.child("a"), held("b")};
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      on_.take();
      const task_ref before = task_of(s, "b");
      const completion<> first = *held_;
      on_.fail("a");
      co_await sleep_for(3s);
      EXPECT_EQ(on_.take(), (texts{"-a", "+a"}));
      EXPECT_NE(task_of(s, "b").id(), before.id());
      EXPECT_FALSE(before.done());
      EXPECT_EQ(s.size(), 3u);
      first.complete();
      co_await settled();
      EXPECT_TRUE(before.done());
      EXPECT_TRUE(task_of(s, "b")) << "the end of the old one is not that of the new one";
      let_go();
      co_await s.shutdown();
    };
    co_await with_supervisor(
        {.strategy = restart_strategy::one_for_all, .stuck = on_stuck::leave_to_root}, specs, body);
  });
  EXPECT_THAT(printed_.text(), HasSubstr("\"b\" suspended on"));
}

TEST_P(StuckChild, ABrutalStopNamesItAfterTheSupervisorsGrace) {
  rt_.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {held("b").shutdown(0s)};
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      s.request_shutdown();
      co_await sleep_for(1h);
    };
    co_await with_supervisor({.grace = 7s, .stuck = on_stuck::leave_to_root}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 7s + 1us);
    let_go();
  });
}

TEST_P(StuckChild, AGraceThatTheCallerGivesIsForAllOfThem) {
  on_.stop_takes("b", 4s);
  on_.stop_takes("c", 4s);
  rt_.block_on([&]() -> task<> {
    const auto specs = on_.children({"a", "b", "c"});
    const auto body = [&](supervisor& s) -> task<> {
      on_.take();
      const shutdown_options soon{.grace = 1s, .stuck = on_stuck::leave_to_root};
      co_await s.shutdown(soon);
    };
    co_await with_supervisor({}, specs, body);
    EXPECT_LT(test_clock().elapsed(), 2s);
    EXPECT_THAT(on_.take(), ElementsAre("-b", "-a")) << "shields are overridden, all at once";
    co_await sleep_for(1h);
    EXPECT_THAT(on_.take(), ElementsAre("-c")) << "it had been asked, and was left";
  });
}

TEST(StuckChildDeathTest, EndsTheProcessIfThatIsSaid) {
  const auto end = [] {
    test_runtime rt{{.workers = 2}};
    rt.block_on([]() -> task<> {
      const auto resist = []() -> task<> { co_await shield(sleep_for(1h)); };
      const std::vector<child_spec> specs = {child_spec("b", resist).shutdown(2s)};
      const auto body = [](supervisor& s) -> task<> {
        co_await settled();
        co_await s.shutdown();
      };
      co_await with_supervisor({.stuck = on_stuck::terminate}, specs, body);
    });
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(end(), "\"b\" suspended on sleep_for");
}

TEST_P(StuckChild, TerminateChildReturnsWhenItIsLeft) {
  rt_.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {held("b").restart(restart_type::temporary)};
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      co_await s.terminate_child("b");
      EXPECT_EQ(test_clock().elapsed(), 2s + 1us);
      EXPECT_FALSE(has_child(s, "b"));
      EXPECT_EQ(s.size(), 1u);
      let_go();
    };
    co_await with_supervisor({.stuck = on_stuck::leave_to_root}, specs, body);
  });
  EXPECT_EQ(ended_, 1);
}

}  // namespace
}  // namespace coppice
