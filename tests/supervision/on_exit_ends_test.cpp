// Handlers of coroutines that end in less common places: as children of a gather, in deep chains, without a throw.
#include <coppice/cleanup.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::fail_after;
using testing_support::failing;
using testing_support::report_log;
using testing_support::sleeper;

class OnExitEnds : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, OnExitEnds, testing::Values(1u, 2u, 4u));

using events = std::vector<std::string>;

// Waits, then gives a value that has a destructor.
task<std::string> handled(std::atomic<int>& ran, duration d) {
  co_await on_exit([&ran]() -> task<> {
    co_await sleep_for(1s);
    ran.fetch_add(1);
  });
  co_await sleep_for(d);
  co_return std::string(100, 'v');
}

task<std::string> handled_badly(duration d) {
  co_await on_exit([] { throw std::invalid_argument("handler"); });
  co_await sleep_for(d);
  co_return std::string(100, 'v');
}

// ---- Children of a gather -----------------------------------------------------------------------

TEST_P(OnExitEnds, AGatherIsOverBehindTheHandlersOfItsChildren) {
  std::atomic<int> ran{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto [a, b] = co_await gather(handled(ran, 1s), handled(ran, 2s));
    EXPECT_EQ(a, b);
    EXPECT_EQ(ran.load(), 2);
    EXPECT_EQ(test_clock().elapsed(), 3s);
  });
}

TEST_P(OnExitEnds, AChildWhoseHandlerFailsFailsTheGather) {
  std::atomic<int> ran{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    EXPECT_THROW((void)co_await gather(handled(ran, 1h), handled_badly(1s)), std::invalid_argument);
    EXPECT_EQ(ran.load(), 1);
    EXPECT_EQ(test_clock().elapsed(), 2s) << "the other was stopped, and cleaned up behind itself";
  });
}

TEST_P(OnExitEnds, AChildOfManyWhoseHandlerFailsFailsTheGather) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    std::atomic<int> ran{0};
    const auto child = [&](std::size_t i) { return i == 2 ? handled_badly(1s) : handled(ran, 1s); };
    EXPECT_THROW((void)co_await gather_n(5, child), std::invalid_argument);
    std::vector<std::string> results(5);
    EXPECT_THROW(co_await gather_n(5, child, results.begin()), std::invalid_argument);
    std::vector<task<std::string>> children;
    for (std::size_t i = 0; i != 5; ++i) {
      children.push_back(child(i));
    }
    EXPECT_THROW((void)co_await gather(children), std::invalid_argument);
  });
}

// The fork of the gather is still there while the handler waits.
TEST_P(OnExitEnds, OneThatIsStoppedInAGatherCanWaitInItsHandler) {
  std::atomic<int> ran{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_exit([&ran]() -> task<> {
        co_await gather(sleeper(1s), sleeper(2s));
        co_await with_group([](task_group& g) -> task<> {
          g.spawn(sleeper(1s));
          co_return;
        });
        ran.fetch_add(1);
      });
      co_await gather(handled(ran, 1h), handled(ran, 1h));
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(test_clock().elapsed(), 5s);
  });
  EXPECT_EQ(ran.load(), 3);
}

// ---- Other ways to end --------------------------------------------------------------------------

TEST_P(OnExitEnds, AFailureHandedUpWithoutAThrowWaitsForThemToo) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_error([&](const error_entry& what) -> task<> {
        co_await sleep_for(1s);
        order.push_back(what.message());
      });
      co_await nothrow(fail_after(1s, "handed up"));
    };
    const outcome<> seen = co_await as_result(work());
    EXPECT_EQ(seen.entry().message(), "handed up");
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
  EXPECT_THAT(order, ElementsAre("handed up"));
}

TEST_P(OnExitEnds, AChainOfCoroutinesIsLeftWithoutAStack) {
  constexpr int depth = 20'000;
  std::atomic<int> ran{0};
  struct chain {
    static task<> link(std::atomic<int>& ran, int below) {
      co_await on_exit([&ran] { ran.fetch_add(1); });
      if (below != 0) {
        co_await link(ran, below - 1);
      } else {
        co_await sleep_for(1h);
      }
    }
  };
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn(chain::link(ran, depth - 1));
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(ran.load(), depth);
    co_await chain::link(ran, depth - 1);
  });
  EXPECT_EQ(ran.load(), 2 * depth);
}

TEST_P(OnExitEnds, OneThatOutlivesItsGraceTakesNoValueAway) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto work = []() -> task<int> {
      co_await on_exit({.grace = 1s}, [] { return sleep_for(1h); });
      co_return 7;
    };
    EXPECT_EQ(co_await work(), 7);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_NE(reports[0].entry.get_if<timeout_error>(), nullptr);
}

TEST_P(OnExitEnds, OneThatHasLeaveToStayAsLongAsItLikesDoes) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = []() -> task<> {
      co_await on_exit({.grace = forever}, [] { return sleep_for(1h); });
    };
    co_await work();
    EXPECT_EQ(test_clock().elapsed(), 1h);
  });
}

// ---- Which of them run --------------------------------------------------------------------------

TEST_P(OnExitEnds, AStopRunsOnCancelAlsoBehindAHandlerThatFailed) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_error([&] { order.emplace_back("failed"); });
      co_await on_cancel([&] { order.emplace_back("cancelled"); });
      co_await on_exit([] { throw std::invalid_argument("handler"); });
      co_await sleep_for(1h);
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, std::invalid_argument);
  });
  EXPECT_THAT(order, ElementsAre("cancelled"));
}

TEST_P(OnExitEnds, AHandlersFailureBehindAValueRunsOnError) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_error([&](const error_entry& what) { order.push_back(what.message()); });
      co_await on_cancel([&] { order.emplace_back("cancelled"); });
      co_await on_exit([] { throw std::invalid_argument("handler"); });
    };
    EXPECT_THROW(co_await work(), std::invalid_argument);
  });
  EXPECT_THAT(order, ElementsAre("handler"));
}

TEST_P(OnExitEnds, OfSeveralThatFailTheFirstIsThrownAndHasTheOthersBesideIt) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto work = []() -> task<> {
      co_await on_exit([] { return failing("third"); });
      co_await on_exit([] { return failing("second"); });
      co_await on_exit([] { return failing("first"); });
    };
    const outcome<> seen = co_await as_result(work());
    EXPECT_EQ(seen.entry().message(), "first");
    events beside;
    for (const error_entry& each : seen.entry().suppressed()) {
      beside.push_back(each.message());
    }
    EXPECT_THAT(beside, ElementsAre("second", "third"));
  });
  EXPECT_THAT(log.messages(), ElementsAre("second", "third"));
}

// ---- What with_cleanup gives --------------------------------------------------------------------

TEST_P(OnExitEnds, WithCleanupGivesWhateverTheBodyGives) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    int object = 1;
    const auto reference = [&]() -> task<int&> { co_return object; };
    const auto owned = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(2); };
    int cleaned = 0;
    const auto cleanup = [&] { ++cleaned; };
    EXPECT_EQ(&(co_await with_cleanup(reference, cleanup)), &object);
    const std::unique_ptr<int> given = co_await with_cleanup(owned, cleanup);
    EXPECT_EQ(*given, 2);
    EXPECT_EQ(cleaned, 2);
  });
}

TEST_P(OnExitEnds, WithCleanupCleansUpBehindABodyThatThrowsBeforeItIsATask) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    int cleaned = 0;
    const auto body = []() -> task<> { throw std::invalid_argument("no task"); };
    EXPECT_THROW(co_await with_cleanup(body, [&] { ++cleaned; }), std::invalid_argument);
    EXPECT_EQ(cleaned, 1);
  });
}

}  // namespace
}  // namespace coppice
