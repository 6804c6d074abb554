// Delays before restarts: how long, what they look like, and what ends them.
#include <coppice/supervisor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::be_quiet;
using testing_support::info_of;
using testing_support::settled;
using testing_support::stage;
using testing_support::supervised;
using testing_support::texts;

constexpr supervisor_options patient{.max_restarts = 1'000'000};

class RestartBackoff : public testing_support::tree_test {
 protected:
  // The first delays of a child that runs for so long each time, and then fails.
  std::vector<duration> delays(const backoff_policy& policy, std::size_t count, duration runs = 1ms,
                               std::uint64_t seed = 1) {
    std::vector<duration> told;  // By the supervisor, one after the other.
    test_runtime rt{{.workers = GetParam(), .seed = seed}};
    rt.set_error_handler([](const error_report&) {});
    rt.block_on([&]() -> task<> {
      const auto fails = [&]() -> task<> {
        co_await sleep_for(runs);
        throw std::runtime_error("broke");
      };
      const std::vector<child_spec> specs = {child_spec("a", fails).backoff(policy)};
      const auto body = [&](supervisor& s) -> task<> {
        s.on_restart([&, h = s.handle()](const restart_report& report) {
          told.push_back(report.delay);
          if (told.size() == count) {
            h.cancel();
          }
        });
        co_await sleep_for(10'000h);
      };
      co_await with_supervisor(patient, specs, body);
    });
    return told;
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, RestartBackoff, testing::Values(1u, 2u, 4u));

TEST_P(RestartBackoff, GrowsUpToItsLongest) {
  EXPECT_THAT(delays({.initial = 1s, .factor = 2, .max = 5s, .jitter = 0}, 5),
              ElementsAre(1s, 2s, 4s, 5s, 5s));
}

TEST_P(RestartBackoff, StartsAnewBehindHealth) {
  EXPECT_THAT(delays({.initial = 1s, .jitter = 0, .reset_after = 10s}, 3, 10s),
              ElementsAre(1s, 1s, 1s));
  EXPECT_THAT(delays({.initial = 1s, .jitter = 0, .reset_after = 10s}, 3, 10s - 1ns),
              ElementsAre(1s, 2s, 4s));
}

// Its supervisor is about another child's stop from 2.5 s to 22.5 s, and hears only then of an end at 3 s.
TEST_P(RestartBackoff, HealthLastsUntilTheEndAndNotUntilThatIsHeardOf) {
  std::vector<duration> told;
  test_runtime rt(workers());
  be_quiet(rt);
  const auto fails = []() -> task<> {
    co_await sleep_for(1s);
    throw std::runtime_error("broke");
  };
  const auto slow = []() -> task<> {
    co_await as_result(sleep_for(forever));
    co_await shield([]() -> task<> { co_await sleep_for(20s); });
  };
  const std::vector<child_spec> specs = {
      child_spec("a", fails).backoff({.initial = 1s, .jitter = 0, .reset_after = 10s}),
      child_spec("slow", slow).shutdown(forever)};
  const auto body = [&](supervisor& s) -> task<> {
    s.on_restart([&](const restart_report& report) { told.push_back(report.delay); });
    co_await sleep_for(2500ms);
    co_await s.terminate_child("slow");
    co_await sleep_for(1ns);
    EXPECT_THAT(told, ElementsAre(1s, 2s));
  };
  supervised(rt, {}, specs, body);
}

TEST_P(RestartBackoff, JitterIsRepeatedByASeed) {
  const backoff_policy policy{.initial = 1s, .factor = 1, .jitter = 0.5};
  const std::vector<duration> one = delays(policy, 20, 1ms, 1);
  EXPECT_EQ(one, delays(policy, 20, 1ms, 1));
  EXPECT_NE(one, delays(policy, 20, 1ms, 2));
  for (const duration each : one) {
    EXPECT_GE(each, 500ms);
    EXPECT_LE(each, 1500ms);
  }
  EXPECT_NE(one[0], one[1]);
}

TEST_P(RestartBackoff, JitterIsRepeatedByTheSpecsOwnSeed) {
  const backoff_policy policy{.initial = 1s, .factor = 1, .jitter = 0.5, .seed = 7};
  EXPECT_EQ(delays(policy, 5, 1ms, 1), delays(policy, 5, 1ms, 2));
}

TEST_P(RestartBackoff, ShowsAsRestartingUntilItIsOver) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const std::vector<child_spec> specs = {on.child("a").backoff({.initial = 3s, .jitter = 0})};
  const auto body = [&](supervisor& s) -> task<> {
    on.take();
    on.fail("a");
    co_await sleep_for(3s - 1ns);
    EXPECT_TRUE(info_of(s, "a").restarting);
    EXPECT_FALSE(info_of(s, "a").task);
    EXPECT_EQ(s.count_children().active, 0u);
    EXPECT_EQ(on.take(), (texts{"-a"}));
    co_await sleep_for(2ns);
    EXPECT_FALSE(info_of(s, "a").restarting);
    EXPECT_TRUE(info_of(s, "a").task);
    EXPECT_EQ(on.take(), (texts{"+a"}));
  };
  supervised(rt, {}, specs, body);
}

TEST_P(RestartBackoff, OthersAreLookedAfterMeanwhile) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const std::vector<child_spec> specs = {on.child("a").backoff({.initial = 3s, .jitter = 0}),
                                         on.child("b")};
  const auto body = [&](supervisor& s) -> task<> {
    on.take();
    on.fail("a");
    co_await sleep_for(1s);
    on.fail("b");
    co_await settled();
    const child_spec c = on.child("c");
    co_await s.start_child(c);
    EXPECT_EQ(on.take(), (texts{"-a", "-b", "+b", "+c"}));
    co_await sleep_for(2s);
    EXPECT_EQ(on.take(), (texts{"+a"}));
  };
  supervised(rt, {}, specs, body);
}

TEST_P(RestartBackoff, InARestartOfAllTheOthersAreStoppedAtOnceAndStartedWithIt) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const std::vector<child_spec> specs = {
      on.child("a"), on.child("b").backoff({.initial = 3s, .jitter = 0}), on.child("c")};
  const auto body = [&](supervisor& s) -> task<> {
    on.take();
    on.fail("b");
    co_await sleep_for(3s - 1ns);
    EXPECT_EQ(on.take(), (texts{"-b", "-c", "-a"}));
    EXPECT_FALSE(info_of(s, "a").restarting);
    co_await sleep_for(2ns);
    EXPECT_EQ(on.take(), (texts{"+a", "+b", "+c"}));
  };
  supervised(rt, {.strategy = restart_strategy::one_for_all}, specs, body);
}

TEST_P(RestartBackoff, AStartThatFailsWaitsAsWell) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const std::vector<child_spec> specs = {on.child("a").backoff({.initial = 1s, .jitter = 0})};
  const auto body = [&](supervisor&) -> task<> {
    on.take();
    on.fail_starts("a", 2);
    on.fail("a");
    co_await sleep_for(7s - 1ns);  // 1 + 2 + 4.
    EXPECT_EQ(on.take(), (texts{"-a", "!a", "!a"}));
    co_await sleep_for(2ns);
    EXPECT_EQ(on.take(), (texts{"+a"}));
  };
  supervised(rt, patient, specs, body);
}

// ---- What ends it -------------------------------------------------------------------------------

TEST_P(RestartBackoff, OfSeveralOnlyTheOneWhoseStartFailedIsRestarting) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const std::vector<child_spec> specs = {on.child("a").backoff({.initial = 1s, .jitter = 0}),
                                         on.child("b")};
  const auto body = [&](supervisor& s) -> task<> {
    on.fail_starts("a", 1);
    on.fail("b");
    co_await settled();
    EXPECT_TRUE(info_of(s, "a").restarting);
    EXPECT_FALSE(info_of(s, "b").restarting);
    co_await s.terminate_child("a");
    co_await s.restart_child("b");
    EXPECT_TRUE(info_of(s, "b").task);
  };
  supervised(rt, {.strategy = restart_strategy::one_for_all, .max_restarts = 9}, specs, body);
}

TEST_P(RestartBackoff, AShutdownInterruptsItAtOnce) {
  for (const duration drain : {0s + 0ns, 1h + 0ns}) {
    stage on;
    test_runtime rt(workers());
    rt.set_error_handler([](const error_report&) {});
    rt.block_on([&]() -> task<> {
      const std::vector<child_spec> specs = {on.child("a").backoff({.initial = 10h, .max = 10h})};
      const auto body = [&](supervisor& s) -> task<> {
        on.fail("a");
        co_await settled();
        const shutdown_options how{.drain = drain};
        co_await s.shutdown(how);
      };
      co_await with_supervisor({}, specs, body);
      EXPECT_LT(test_clock().elapsed(), 1s);
    });
    EXPECT_EQ(on.take(), (texts{"+a", "-a"}));
  }
}

TEST_P(RestartBackoff, ACancelFromAboveInterruptsItAtOnce) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  rt.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {on.child("a").backoff({.initial = 10h, .max = 10h})};
    const task_handle<> helper = spawn([&]() -> task<> {
      co_await sleep_for(1s);
      on.fail("a");
    });
    const auto supervised = [&] { return supervise({}, specs); };
    EXPECT_FALSE(co_await move_on_after(1h, supervised));
    EXPECT_EQ(test_clock().elapsed(), 1h);
  });
  EXPECT_EQ(on.take(), (texts{"+a", "-a"}));
}

}  // namespace
}  // namespace coppice
