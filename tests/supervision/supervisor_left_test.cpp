// on_stuck::leave_to_root: the host goes on, and what is stuck stands below the runtime from then on.
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/captured_stderr.h"
#include "tests/support/load.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::captured_stderr;
using testing_support::rounds;
using testing_support::shielded_sleeper;
using testing_support::sleeper;

class SupervisorLeft : public testing::TestWithParam<unsigned> {
 protected:
  // The root says at the end for whom it waits, which is not of interest.
  const captured_stderr captured_;
  std::atomic<int> ended_{0};
  test_runtime rt_{{.workers = GetParam(), .settings = {.cancel_watchdog = forever}}};
};

INSTANTIATE_TEST_SUITE_P(Workers, SupervisorLeft, testing::Values(1u, 2u, 4u));

constexpr shutdown_options leave_soon{.grace = 3s, .stuck = on_stuck::leave_to_root};

TEST_P(SupervisorLeft, TheHostGoesOnAndTheRootWaits) {
  supervisor* jobs = nullptr;
  std::atomic<bool> went_on{false};
  rt_.block_on([&]() -> task<> {
    const auto body = [&](supervisor& s) -> task<> {
      jobs = &s;
      co_await sleep_for(10'000h);
    };
    const task_handle<> host = spawn([&]() -> task<> {
      co_await with_supervisor(body);
      went_on = true;
      EXPECT_EQ(test_clock().elapsed(), 3s);
    });
    co_await wait_all_tasks_blocked();
    const auto resist = [&]() -> task<> {
      co_await shield(sleep_for(1h));
      ended_.fetch_add(1);
    };
    const task_handle<> slow = jobs->spawn({.name = "slow"}, resist);
    co_await wait_all_tasks_blocked();
    const shutdown_report report = co_await jobs->shutdown(leave_soon);
    EXPECT_EQ(report.stuck.size(), 1u);
    EXPECT_EQ(test_clock().elapsed(), 3s);
    EXPECT_FALSE(slow.done());
    co_await host;
    EXPECT_TRUE(went_on.load());
    EXPECT_FALSE(slow.done());
  });
  EXPECT_EQ(ended_.load(), 1) << "the root has awaited it";
  EXPECT_GE(rt_.clock().elapsed(), 1h);
}

// Below it tasks go on opening scopes, waiting, and asking who is above, though the host's frame is gone.
TEST_P(SupervisorLeft, WhatIsLeftLivesOnAsItLikes) {
  std::vector<std::string> heard_after;
  rt_.set_error_handler(
      [&](const error_report& report) { heard_after.push_back(report.entry.message()); });
  rt_.block_on([&]() -> task<> {
    auto local = std::make_unique<std::string>("of the host");
    const auto resist = [&ended = ended_]() -> task<> {
      const auto inside = [&]() -> task<> {
        co_await sleep_for(10s);
        EXPECT_FALSE(cancel_requested()) << "it is shielded";
        EXPECT_EQ(current_deadline(), std::nullopt);
        co_await with_group([&](task_group& g) -> task<> {
          g.spawn(sleeper, 10s);
          g.spawn(sleeper, 20s);
          co_return;
        });
        ended.fetch_add(1);
      };
      co_await shield(inside);
      EXPECT_TRUE(cancel_requested());
      throw std::runtime_error("at last");
    };
    const task_handle<> host = spawn([&]() -> task<> {
      co_await with_timeout(1h, [&]() -> task<> {
        co_await with_supervisor({.grace = 3s, .stuck = on_stuck::leave_to_root},
                                 [&](supervisor& s) -> task<> {
                                   s.on_error([&](const error_report&) { *local += " hears"; });
                                   s.spawn({.name = "slow"}, resist);
                                   co_await sleep_for(1s);
                                   co_await s.shutdown();
                                 });
      });
    });
    co_await host;
    EXPECT_EQ(test_clock().elapsed(), 4s);
    EXPECT_EQ(*local, "of the host");
    local.reset();
    EXPECT_EQ(ended_.load(), 0);
    co_await sleep_for(1min);
    EXPECT_EQ(ended_.load(), 1);
    EXPECT_EQ(heard_after, std::vector<std::string>{"at last"})
        << "the supervisor's own handler is gone with its host";
  });
}

TEST_P(SupervisorLeft, AMemberIsClosedAndMayGo) {
  rt_.block_on([&]() -> task<> {
    {
      manual_supervisor jobs{{.name = "jobs", .grace = 3s, .stuck = on_stuck::leave_to_root}};
      jobs.open();
      jobs.spawn(shielded_sleeper, 1h);
      co_await wait_all_tasks_blocked();
      const shutdown_report report = co_await jobs.shutdown();
      EXPECT_EQ(report.stuck.size(), 1u);
      EXPECT_FALSE(jobs.is_open());
      co_await jobs.close();
    }
    EXPECT_EQ(test_clock().elapsed(), 3s);
    EXPECT_EQ(rt_.all_tasks().size(), 2u) << "this task, and the one that is left";
  });
}

TEST_P(SupervisorLeft, ABodyThatIsStuckItselfKeepsTheHostOnly) {
  rt_.block_on([&]() -> task<> {
    supervisor* jobs = nullptr;
    const auto body = [&](supervisor& s) -> task<> {
      jobs = &s;
      s.spawn(shielded_sleeper, 1h);
      co_await shield(sleep_for(10s));
    };
    const task_handle<> host = spawn([&]() -> task<> {
      co_await with_supervisor(body);
      EXPECT_EQ(test_clock().elapsed(), 10s);
    });
    co_await wait_all_tasks_blocked();
    const shutdown_report report = co_await jobs->shutdown(leave_soon);
    EXPECT_EQ(report.stuck.size(), 1u);
    EXPECT_EQ(test_clock().elapsed(), 3s);
    co_await host;
    EXPECT_EQ(test_clock().elapsed(), 10s);
  });
  EXPECT_GE(rt_.clock().elapsed(), 1h);
}

TEST_P(SupervisorLeft, WithoutStuckOnesItIsAnOrdinaryEnd) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn(sleeper, 1h);
      s.spawn(shielded_sleeper, 2s);
      co_await sleep_for(1s);
      co_await s.shutdown(leave_soon);
    });
    EXPECT_EQ(test_clock().elapsed(), 2s);
    EXPECT_EQ(rt_.all_tasks().size(), 1u);
  });
}

TEST_P(SupervisorLeft, AFatalFailureOfOneThatWasLeftIsReported) {
  std::vector<std::string> heard;
  rt_.set_error_handler(
      [&](const error_report& report) { heard.push_back(report.entry.message()); });
  const auto failing_late = []() -> task<> {
    co_await shield(sleep_for(1h));
    throw fatal_error("too late");
  };
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor({.grace = 3s, .stuck = on_stuck::leave_to_root},
                             [&](supervisor& s) -> task<> {
                               s.spawn(failing_late);
                               co_await sleep_for(1s);
                               co_await s.shutdown();
                             });
    EXPECT_EQ(test_clock().elapsed(), 4s);
  });
  EXPECT_EQ(heard, std::vector<std::string>{"too late"});
}

// Polls, waits, failures and scopes below, at the very time at which what is above goes. The host's frame is overwritten
// as soon as it has gone on; AddressSanitizer looks as well.
TEST(SupervisorLeftRace, WhoLooksUpFindsNothingThatHasGone) {
  const captured_stderr captured;
  runtime rt({.threads = 3, .cancel_watchdog = forever, .unhandled = on_unhandled::silent});
  const long turns = rounds(100'000, 300);
  std::atomic<long> ended{0};
  rt.block_on([&]() -> task<> {
    for (long i = 0; i != turns; ++i) {
      const auto busy = [&ended](int kind) -> task<> {
        const auto inside = [kind]() -> task<> {
          for (int k = 0; k != 20; ++k) {
            static_cast<void>(cancel_requested());
            static_cast<void>(current_deadline());
            static_cast<void>(this_task::scopes().size());
            if (kind % 2 == 0) {
              co_await yield();
            }
            if (kind % 3 == 0) {
              co_await with_group([](task_group& g) -> task<> {
                g.spawn([]() -> task<> { co_await yield(); });
                co_return;
              });
            }
          }
        };
        co_await shield(inside);
        ended.fetch_add(1);
        throw std::runtime_error("reported above");
      };
      const auto hosted = [&]() -> task<> {
        co_await with_timeout(1h, [&]() -> task<> {
          co_await with_supervisor({.grace = 0ns, .stuck = on_stuck::leave_to_root},
                                   [&](supervisor& s) -> task<> {
                                     for (int kind = 0; kind != 6; ++kind) {
                                       s.spawn(busy, kind);
                                     }
                                     co_await yield();
                                     co_await s.shutdown();
                                   });
        });
      };
      co_await spawn(hosted);
    }
  });
  EXPECT_LE(ended.load(), 6 * turns);
}

}  // namespace
}  // namespace coppice
