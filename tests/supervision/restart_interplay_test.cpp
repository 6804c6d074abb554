// Restarts among the rest of the tree: cancels, deadlines and fatal failures at any time, storms.
#include <coppice/group.h>
#include <coppice/supervisor.h>
#include <coppice/wait.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/load.h"
#include "tests/support/report_log.h"
#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::report_log;
using testing_support::rounds;
using testing_support::settled;
using testing_support::stage;
using testing_support::task_of;
using testing_support::texts;

class RestartInterplay : public testing_support::tree_test {
 protected:
  // What supervise() of these does when its host is cancelled from above at that time.
  texts cancelled_at(duration when, std::vector<child_spec> specs, supervisor_options options = {},
                     duration ends = 0s) {
    rt_.set_error_handler([](const error_report&) {});
    rt_.block_on([&]() -> task<> {
      const auto supervised = [&] { return supervise(options, specs); };
      const bool finished = co_await move_on_after(when, supervised);
      EXPECT_FALSE(finished);
      EXPECT_EQ(test_clock().elapsed(), when + ends);
    });
    return on_.take();
  }

  // Fails when it has run for a second.
  child_spec short_lived(const std::string& id) {
    const auto run = [this, id](start_gate& gate) -> task<> {
      on_.say("+" + id);
      gate.started();
      co_await sleep_for(1s);
      on_.say("-" + id);
      throw std::runtime_error(id + " broke");
    };
    return child_spec(id, run);
  }

  stage on_;
  test_runtime rt_{workers()};
};
INSTANTIATE_TEST_SUITE_P(Workers, RestartInterplay, testing::Values(1u, 2u, 4u));

// ---- Cancelled from above -----------------------------------------------------------------------

TEST_P(RestartInterplay, ACancelWhileChildrenStartStopsThatOneAndThoseBefore) {
  on_.start_takes("b", 1h);
  on_.stop_takes("a", 1s);
  EXPECT_EQ(cancelled_at(1min, on_.children({"a", "b", "c"}), {}, 1s), (texts{"+a", "-b", "-a"}));
}

TEST_P(RestartInterplay, ACancelWhileTheyRunStopsThemInReverse) {
  on_.stop_takes("a", 1s);
  on_.stop_takes("b", 1s);
  EXPECT_EQ(cancelled_at(1min, on_.children({"a", "b"}), {}, 2s), (texts{"+a", "+b", "-b", "-a"}));
}

TEST_P(RestartInterplay, ACancelWhileAChildIsStartedAgain) {
  std::vector<child_spec> specs = on_.children({"a"});
  specs.push_back(short_lived("b"));
  specs.push_back(on_.child("c"));
  on_.start_takes("c", 400ms);  // b breaks at 1 s, c starts again until 1.4 s.
  EXPECT_EQ(cancelled_at(1200ms, specs, {.strategy = restart_strategy::rest_for_one}),
            (texts{"+a", "+b", "+c", "-b", "-c", "+b", "-c", "-a"}));
}

TEST_P(RestartInterplay, ACancelWhileOthersAreStoppedForARestart) {
  std::vector<child_spec> specs = on_.children({"a"});
  specs.push_back(short_lived("b"));
  specs.push_back(on_.child("c"));
  on_.stop_takes("c", 2s);
  EXPECT_EQ(cancelled_at(1500ms, specs, {.strategy = restart_strategy::one_for_all}, 1500ms),
            (texts{"+a", "+b", "+c", "-b", "-c", "-a"}));
}

TEST_P(RestartInterplay, ASecondRequestWhileItStopsChangesNothing) {
  on_.stop_takes("a", 2s);
  on_.stop_takes("b", 2s);
  rt_.block_on([&]() -> task<> {
    const auto specs = on_.children({"a", "b"});
    const auto body = [&](supervisor& s) -> task<> {
      s.request_shutdown();
      const auto insist = [&]() -> task<> {
        co_await sleep_for(1s);
        s.cancel("now");
        s.request_shutdown();
        co_await sleep_for(2s);
        s.cancel_host();
      };
      co_await shield(insist);
    };
    const auto host = [&]() -> task<> {
      co_await with_supervisor({}, specs, body);
      co_await checkpoint();
    };
    const task_handle<> hosting = spawn(host);
    const std::vector<task_ref> handles{hosting};
    co_await coppice::wait(handles);
    EXPECT_TRUE(hosting.status() == task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 4s);
  });
  EXPECT_EQ(on_.take(), (texts{"+a", "+b", "-b", "-a"}));
}

// ---- Shutdown in phases -------------------------------------------------------------------------

TEST_P(RestartInterplay, NobodyIsRestartedWhileTheSupervisorDrains) {
  report_log log;
  rt_.set_error_handler(log.handler());
  rt_.block_on([&]() -> task<> {
    const auto specs = on_.children({"a", "b"});
    const auto body = [&](supervisor& s) -> task<> {
      const task_handle<> helper = spawn([&]() -> task<> {
        co_await sleep_for(1s);
        on_.fail("a");
        co_await sleep_for(1s);
        on_.finish("b");
      });
      const shutdown_options gently{.drain = 1h};
      co_await s.shutdown(gently);
    };
    co_await with_supervisor({}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
  EXPECT_EQ(on_.take(), (texts{"+a", "+b", "-a", "-b"}));
  EXPECT_THAT(log.messages(), ElementsAre("a broke"));
}

TEST_P(RestartInterplay, AFailureDuringShutdownIsReportedAndNotRestarted) {
  report_log log;
  rt_.set_error_handler(log.handler());
  rt_.block_on([&]() -> task<> {
    const auto fails_when_stopped = [&]() -> task<> {
      static_cast<void>(co_await as_result(sleep_for(1h)));
      throw std::runtime_error("cannot stop");
    };
    const std::vector<child_spec> specs = {on_.child("a"), child_spec("b", fails_when_stopped)};
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      const shutdown_report report = co_await s.shutdown();
      EXPECT_EQ(report.failed, 1u);
      EXPECT_EQ(report.cancelled, 1u);
    };
    co_await with_supervisor({}, specs, body);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.message(), "cannot stop");
  EXPECT_NE(reports[0].entry.context(), nullptr) << "it was being cancelled";
}

TEST_P(RestartInterplay, AShutdownWithADrainWhileChildrenStartStartsNoMore) {
  on_.start_takes("b", 1s);
  rt_.block_on([&]() -> task<> {
    const auto specs = on_.children({"a", "b", "c"});
    scope_handle inner;
    const auto first = [&](start_gate& gate) -> task<> {
      inner = current_scope();
      gate.started();
      co_await sleep_for(1h);
    };
    std::vector<child_spec> all = {child_spec("first", first)};
    all.insert(all.end(), specs.begin(), specs.end());
    const auto supervised = [&] { return supervise({.drain = 1min}, all); };
    const task_handle<> hosting = spawn(supervised);
    co_await sleep_for(500ms);
    inner.request_shutdown();
    co_await hosting;
    EXPECT_EQ(test_clock().elapsed(), 1min + 500ms);
  });
  EXPECT_EQ(on_.take(), (texts{"+a", "+b", "-b", "-a"}));
}

// ---- Failures -----------------------------------------------------------------------------------

TEST_P(RestartInterplay, AFatalFailureIsNotRestartedAndLeavesNaked) {
  rt_.block_on([&]() -> task<> {
    const auto fatal = [&]() -> task<> {
      co_await sleep_for(1s);
      throw fatal_error("exit");
    };
    const std::vector<child_spec> specs = {on_.child("a"), child_spec("b", fatal), on_.child("c")};
    EXPECT_THROW(co_await supervise({.strategy = restart_strategy::one_for_all}, specs),
                 fatal_error);
  });
  EXPECT_EQ(on_.take(), (texts{"+a", "+c", "-c", "-a"}));
}

TEST_P(RestartInterplay, AFatalFailureOfAStartLeavesNaked) {
  report_log log;
  rt_.set_error_handler(log.handler());
  rt_.block_on([&]() -> task<> {
    const auto fatal = [](start_gate&) -> task<> {
      co_await sleep_for(1s);
      throw fatal_error("exit");
    };
    const std::vector<child_spec> specs = {on_.child("a"), child_spec("b", fatal)};
    EXPECT_THROW(co_await supervise({}, specs), fatal_error);
  });
  EXPECT_EQ(on_.take(), (texts{"+a", "-a"}));
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(RestartInterplay, ABodysFailureStopsThemInReverse) {
  rt_.block_on([&]() -> task<> {
    const auto specs = on_.children({"a", "b"});
    const auto body = [](supervisor&) -> task<> {
      co_await sleep_for(1s);
      throw std::invalid_argument("body");
    };
    EXPECT_THROW(co_await with_supervisor({}, specs, body), std::invalid_argument);
  });
  EXPECT_EQ(on_.take(), (texts{"+a", "+b", "-b", "-a"}));
}

TEST_P(RestartInterplay, ASupervisorInAGroupInASupervisor) {
  rt_.set_error_handler([](const error_report&) {});
  rt_.block_on([&]() -> task<> {
    const auto inner = on_.children({"a"});
    const auto grouped = [&]() -> task<> {
      const auto body = [&](task_group& g) -> task<> {
        g.spawn([&] { return supervise({.max_restarts = 0}, inner); });
        g.spawn(testing_support::sleeper(10h));
        co_return;
      };
      co_await with_group(body);
    };
    const std::vector<child_spec> specs = {child_spec("grouped", grouped)};
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      const task_ref before = task_of(s, "grouped");
      on_.fail("a");
      co_await settled();
      EXPECT_EQ(before.status(), task_status::failed) << "by the group, by the limit";
      EXPECT_TRUE(task_of(s, "grouped"));
      co_await s.shutdown();
    };
    co_await with_supervisor({}, specs, body);
  });
  EXPECT_EQ(on_.take(), (texts{"+a", "-a", "+a", "-a"}));
}

TEST_P(RestartInterplay, DumpsSayHowOftenAChildWasRestarted) {
  rt_.set_error_handler([](const error_report&) {});
  rt_.block_on([&]() -> task<> {
    const auto specs = on_.children({"a"});
    const auto body = [&](supervisor& s) -> task<> {
      on_.fail("a");
      co_await settled();
      on_.fail("a");
      co_await settled();
      std::ostringstream text;
      dump_tasks(text);
      EXPECT_THAT(text.str(), testing::HasSubstr("restarted 2 times"));
      std::ostringstream json;
      dump_tasks(json, dump_format::json);
      EXPECT_THAT(json.str(), testing::HasSubstr("\"restarts\":2"));
      co_await s.shutdown();
    };
    co_await with_supervisor({}, specs, body);
  });
}

// ---- Storms -------------------------------------------------------------------------------------

TEST_P(RestartInterplay, AStormStarvesNobodyAndKeepsNothing) {
  std::atomic<int> starts{0};
  rt_.set_error_handler([](const error_report&) {});
  rt_.block_on([&]() -> task<> {
    const int enough = static_cast<int>(rounds(100'000));
    const auto breaks = [&]() -> task<> {
      starts.fetch_add(1);
      throw std::runtime_error("at once");
      co_return;
    };
    const std::vector<child_spec> specs = {child_spec("a", breaks)};
    const auto body = [&](supervisor& s) -> task<> {
      while (starts.load() < enough / 2) {
        co_await yield();
      }
      const std::size_t frames = rt_.live_frames();
      while (starts.load() < enough) {
        co_await yield();
      }
      EXPECT_LE(rt_.live_frames(), frames + 16);
      co_await s.shutdown();
    };
    co_await with_supervisor({.max_restarts = std::numeric_limits<unsigned>::max()}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

}  // namespace
}  // namespace coppice
