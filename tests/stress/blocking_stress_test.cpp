// Calls of spawn_blocking against stops, time limits, the runtime's end, and the end of idle threads.
//
// What is counted: each call throws, if it is made at all, so that calls made = failures caught + failures
// reported; and each callable is destroyed.
#include <coppice/blocking.h>
#include <coppice/runtime.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/accounted_runtime.h"
#include "tests/support/load.h"
#include "tests/support/race.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::accounted_runtime;
using testing_support::race;
using testing_support::rounds;

constexpr long batch = 64;  // Calls a round: the racers then meet at many points of their lives.

struct made_and_thrown : std::runtime_error {
  made_and_thrown() : std::runtime_error("made") {}
};

struct account {
  std::atomic<long> callables{0};
  std::atomic<long> made{0};
  std::atomic<long> caught{0};
  std::atomic<long> reported{0};

  error_handler handler() {
    return [this](const error_report& report) {
      EXPECT_EQ(report.origin, error_origin::never_retrieved);
      ++reported;
    };
  }

  void expect_balanced() const {
    EXPECT_EQ(made.load(), caught.load() + reported.load());
    EXPECT_EQ(callables.load(), 0);
  }
};

// The callable of every call here.
class counted_call {
 public:
  explicit counted_call(account& in) noexcept : in_(&in) { ++in_->callables; }
  counted_call(const counted_call& other) noexcept : in_(other.in_) { ++in_->callables; }
  counted_call& operator=(const counted_call&) = delete;
  ~counted_call() { --in_->callables; }

  void operator()() const {
    ++in_->made;
    throw made_and_thrown();
  }

 private:
  account* in_;
};

task<> calling(account& in, blocking_cancel on_cancel) {
  const counted_call call(in);
  try {
    co_await spawn_blocking({.on_cancel = on_cancel}, call);
  } catch (const made_and_thrown&) {
    ++in.caught;
  }
}

class BlockingRaces : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, BlockingRaces, testing::Values(1u, 2u, 4u));

void race_with_cancel(unsigned workers, blocking_cancel on_cancel) {
  account all;
  accounted_executor on({.threads = workers, .blocking_threads = 3});
  on.set_error_handler(all.handler());
  std::vector<task_handle<>> tasks;
  long stopped = 0;
  const auto before = [&] { tasks.clear(); };
  const auto spawn_all = [&] {
    for (long i = 0; i != batch; ++i) {
      tasks.push_back(on.spawn(calling, std::ref(all), on_cancel));
    }
  };
  std::atomic<long> cancels{0};
  const auto cancel_all = [&] {
    for (long i = 0; i != 8; ++i) {
      on.cancel_all(cancel_reason(cancel_kind::requested));
      ++cancels;
      std::this_thread::yield();
    }
  };
  const auto after = [&] {
    on.wait_until_idle();
    detail::wait_for_blocking_calls(on, forever);
    long caught = 0;
    for (const task_handle<>& each : tasks) {
      caught += each.status() == task_status::completed ? 1 : 0;
      stopped += each.status() == task_status::cancelled ? 1 : 0;
    }
    EXPECT_EQ(caught, all.caught.load());
    if (on_cancel == blocking_cancel::wait) {
      EXPECT_EQ(all.made.load(), all.caught.load()) << "who was stopped never called";
    }
    all.expect_balanced();
    all.made = all.caught = all.reported = 0;
  };
  race(rounds(1'000'000) / batch / 3 + 1, before, {spawn_all, cancel_all}, after);
  EXPECT_GT(cancels.load(), 0);
}

TEST_P(BlockingRaces, ToldToWaitACallIsMadeAndDeliveredOrNotMade) {
  race_with_cancel(GetParam(), blocking_cancel::wait);
}

TEST_P(BlockingRaces, ToldToDetachEveryFailureIsCaughtOrReported) {
  race_with_cancel(GetParam(), blocking_cancel::detach);
}

TEST_P(BlockingRaces, ATimeLimitThatPassesMeanwhileLosesNothing) {
  account all;
  accounted_runtime on({.threads = GetParam(), .blocking_threads = 3});
  on.set_error_handler(all.handler());
  const auto limited = [&](long i) -> task<> {
    const counted_call call(all);
    const blocking_options options{.on_cancel = i % 2 == 0 ? blocking_cancel::detach
                                                           : blocking_cancel::wait};
    try {
      co_await move_on_after(i % 40 * 1us, spawn_blocking(options, call));
    } catch (const made_and_thrown&) {
      ++all.caught;
    }
  };
  for (long round = rounds(300'000) / batch / 3 + 1; round != 0; --round) {
    on.block_on([&]() -> task<> {
      std::vector<task_handle<>> tasks;
      for (long i = 0; i != batch; ++i) {
        tasks.push_back(spawn(limited, i));
      }
      for (const task_handle<>& each : tasks) {
        co_await each;
      }
    });
  }
  detail::wait_for_blocking_calls(on.beneath(), forever);
  all.expect_balanced();
}

TEST_P(BlockingRaces, TheRuntimesEndWaitsForEveryCall) {
  for (long round = rounds(10'000) / 3 + 1; round != 0; --round) {
    account all;
    {
      accounted_runtime on({.threads = GetParam(), .blocking_threads = 2});
      on.set_error_handler(all.handler());
      for (long i = 0; i != 8; ++i) {
        on.spawn(calling, std::ref(all),
                 i % 2 == 0 ? blocking_cancel::detach : blocking_cancel::wait);
      }
      std::jthread ending;
      if (round % 2 == 0) {
        ending = std::jthread([&] { on.shutdown(); });
      }
      on.request_shutdown();
    }
    all.expect_balanced();
  }
}

TEST_P(BlockingRaces, AThreadThatEndsForgetsNoCall) {
  std::atomic<long> made{0};
  const long each = rounds(300'000) / 3 + 1;
  for (const duration idle : {duration(0ns), duration(5us), duration(50us)}) {
    const detail::test_setup setup{.virtual_time = false, .idle_blocking_threads = idle};
    accounted_executor on({.threads = GetParam(), .blocking_threads = 2}, &setup);
    const auto call_each = [&]() -> task<> {
      for (long i = 0; i != each / 3; ++i) {
        co_await spawn_blocking([&] { ++made; });
        if (i % 3 == 0) {
          co_await sleep_for(i % 100 * 1us);
        }
      }
    };
    const task_handle<> one = on.spawn(call_each);
    const task_handle<> other = on.spawn(call_each);
    on.wait_until_idle();
  }
  EXPECT_EQ(made.load(), 3 * 2 * (each / 3));
}

}  // namespace
}  // namespace coppice
