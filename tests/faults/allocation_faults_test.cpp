#include <coppice/detail/fork_join.h>
#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/accounted_runtime.h"
#include "tests/support/failing_new.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_runtime;
using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::failing_times;
using testing_support::for_each_failing_allocation;
using testing_support::live_allocations;

task<int> number(int n) {
  co_return n;
}
task<> sleeper(duration d) {
  co_await sleep_for(d);
}

// Two runs of each scenario before it is measured: caches of the process fill, and are kept.
class WithoutMemory : public testing_support::accounted_test {
 protected:
  void SetUp() override {
    if (!can_fail_allocations()) {
      GTEST_SKIP() << testing_support::why_none_can_fail;
    }
  }

  // The scenario throws std::bad_alloc, or std::system_error for a thread, or passes. Whichever
  // allocation fails: it ends, its tasks are accounted for, and nothing is left behind.
  template <class Scenario>
  void survives(const Scenario& scenario, failing_threads threads = failing_threads::all) {
    testing::internal::CaptureStderr();
    run_all(scenario, threads);
    const std::size_t before = left_behind(scenario);
    const std::size_t failed = run_all(scenario, threads);
    EXPECT_LE(left_behind(scenario), before) << "leaked";
    testing::internal::GetCapturedStderr();
    EXPECT_GT(failed, 0u);
  }

 private:
  template <class Scenario>
  static std::size_t run_all(const Scenario& scenario, failing_threads threads) {
    return for_each_failing_allocation(
        [&](fail_allocation_at&) {
          try {
            scenario();
          } catch (const std::bad_alloc&) {
          }
        },
        threads, failing_times::once, 5'000);
  }

  template <class Scenario>
  static std::size_t left_behind(const Scenario& scenario) {
    scenario();
    return live_allocations();
  }
};

// Makes the runtime while memory is there; its tasks then meet the failure.
template <class Body>
auto in_a_runtime(const Body& body) {
  return [&body] {
    std::unique_ptr<accounted_runtime> rt;
    {
      const testing_support::spare_allocations spared;
      rt = std::make_unique<accounted_runtime>(options{.threads = 1});
    }
    rt->block_on(body);
  };
}

TEST_F(WithoutMemory, ARuntimeStartsOrThrows) {
  survives([] { const accounted_runtime rt({.threads = 2}); });
}

TEST_F(WithoutMemory, AMainRunsOrThrows) {
  survives([] {
    accounted_runtime rt({.threads = 1});
    EXPECT_EQ(rt.block_on(number(3)), 3);
  });
}

TEST_F(WithoutMemory, SpawnAndJoinKeepWhatHasBeenSpawned) {
  const auto body = []() -> task<> {
    std::vector<task_handle<int>> handles;
    for (int i = 0; i != 4; ++i) {
      handles.push_back(spawn({.name = "a name that needs memory of its own"}, number, i));
    }
    int sum = 0;
    for (const task_handle<int>& each : handles) {
      sum += co_await each;
    }
    EXPECT_EQ(sum, 6);
  };
  survives(in_a_runtime(body));
}

TEST_F(WithoutMemory, SpawnThatThrowsLeavesNoTask) {
  const auto body = []() -> task<> {
    const auto argument = std::make_shared<int>(1);
    const auto holding = [](std::shared_ptr<int>) -> task<> { co_return; };
    try {
      const task_handle<> handle =
          spawn({.name = "a name that needs memory of its own", .timeout = 1h}, holding, argument);
      co_await handle;
    } catch (const std::bad_alloc&) {
    }
    EXPECT_EQ(argument.use_count(), 1) << "the arguments are destroyed";
  };
  survives(in_a_runtime(body));
}

TEST_F(WithoutMemory, HandlesTokensAndCallbacksThrowAndChangeNothing) {
  const auto body = []() -> task<> {
    const task_handle<> handle = spawn(sleeper(1h));
    try {
      handle.on_done([text = std::string("a capture too large to lie in the function itself")] {});
      const cancel_token token = handle.token();
      co_await yield();
      handle.cancel("enough, says somebody at length");
      EXPECT_TRUE(token.stop_requested() || handle.done());
    } catch (const std::bad_alloc&) {
      handle.cancel();
    }
    try {
      co_await handle;
      ADD_FAILURE() << "it was cancelled";
    } catch (const task_cancelled&) {
    }
    try {
      handle.on_done([text = std::string("another capture that is too large for it")] {});
    } catch (const std::bad_alloc&) {
    }
  };
  survives(in_a_runtime(body));
}

TEST_F(WithoutMemory, ASleepBeginsOrThrows) {
  const auto body = []() -> task<> {
    for (int i = 0; i != 3; ++i) {
      const time_point start = now();
      co_await sleep_for(1us);
      EXPECT_GE(now() - start, 1us);
    }
  };
  survives(in_a_runtime(body));
}

TEST_F(WithoutMemory, ATimeoutHoldsOrTheTaskFails) {
  const auto body = []() -> task<> {
    const task_handle<> handle = spawn({.timeout = 1us}, sleeper, 1h);
    try {
      co_await handle;
      ADD_FAILURE() << "it was to time out";
    } catch (const timeout_error&) {
    } catch (const std::bad_alloc&) {
    }
  };
  survives(in_a_runtime(body));
}

task<int> leaves(int depth) {
  if (depth == 0) {
    co_return 1;
  }
  const auto [a, b] = co_await detail::fork_join(leaves(depth - 1), leaves(depth - 1));
  co_return a + b;
}

TEST_F(WithoutMemory, AForkJoinsOrThrows) {
  const auto body = []() -> task<> {
    // More frames than the worker keeps, so that some must be asked for.
    const int count = co_await leaves(8);
    EXPECT_EQ(count, 256);
  };
  survives(in_a_runtime(body));
}

TEST_F(WithoutMemory, AFailureIsReportedAllTheSame) {
  const auto scenario = [] {
    int reports = 0;
    std::unique_ptr<accounted_runtime> rt;
    {
      const testing_support::spare_allocations spared;
      rt = std::make_unique<accounted_runtime>(options{.threads = 1});
      rt->set_error_handler([&](const error_report&) { ++reports; });
    }
    bool spawned = false;
    try {
      rt->spawn({.name = "a name that needs memory of its own"}, [] { throw 1; });
      spawned = true;
    } catch (const std::bad_alloc&) {
    }
    rt->shutdown({.drain = forever});
    EXPECT_EQ(reports, spawned ? 1 : 0);
  };
  survives(scenario);
}

TEST_F(WithoutMemory, AFailureIsPrintedAllTheSame) {
  const auto scenario = [] {
    std::unique_ptr<accounted_runtime> rt;
    {
      const testing_support::spare_allocations spared;
      rt = std::make_unique<accounted_runtime>(options{.threads = 1});
    }
    rt->spawn([] { throw std::runtime_error("printed"); });
    rt->shutdown({.drain = forever});
  };
  survives(scenario);
}

TEST_F(WithoutMemory, CancelAndRequestShutdownNeedNone) {
  accounted_runtime rt({.threads = 1});
  const task_handle<> handle = rt.spawn(sleeper(1h));
  const task_handle<> other = rt.spawn(sleeper(1h));
  {
    const fail_allocation_at failure(1, failing_threads::all, failing_times::from_there_on);
    handle.cancel();
    rt.request_shutdown();
  }
  rt.shutdown();
  EXPECT_EQ(handle.status(), task_status::cancelled);
  EXPECT_EQ(other.status(), task_status::cancelled);
}

TEST_F(WithoutMemory, TasksThatAreThereGoOnWithout) {
  accounted_runtime rt({.threads = 2});
  const auto body = []() -> task<int> {
    int sum = 0;
    const task_handle<int> before = spawn(number, 1);
    sum += co_await before;
    const fail_allocation_at failure(1, failing_threads::all, failing_times::from_there_on);
    for (int i = 0; i != 1'000; ++i) {
      co_await yield();
      sum += co_await before;
    }
    co_return sum;
  };
  EXPECT_EQ(rt.block_on(body), 1'001);
}

}  // namespace
}  // namespace coppice
