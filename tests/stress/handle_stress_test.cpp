#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/load.h"
#include "tests/support/report_log.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::report_log;
using testing_support::rounds;

class HandleRace : public testing_support::accounted_test {
 protected:
  HandleRace() : seed_(std::random_device()()) {}

  void TearDown() override {
    if (HasFailure()) {
      std::printf("seed %u\n", seed_);
    }
    accounted_test::TearDown();
  }

  const unsigned seed_;
};

// Ends soon: by itself, by a failure, after a sleep, or never.
task<int> some_task(unsigned kind, std::shared_ptr<int> alive) {
  switch (kind % 5) {
    case 0:
      co_return *alive;
    case 1:
      throw std::runtime_error("of a child");
    case 2:
      co_await yield();
      break;
    case 3:
      co_await sleep_for(std::chrono::microseconds(kind % 40));
      break;
    default:
      co_await sleep_for(forever);
  }
  co_return *alive;
}

enum class seen { value, failure, cancelled };

task<seen> look(task_handle<int> of) {
  try {
    const int value = co_await of;
    EXPECT_EQ(value, 7);
    co_return seen::value;
  } catch (const std::runtime_error&) {
    co_return seen::failure;
  } catch (const task_cancelled&) {
    co_return seen::cancelled;
  }
}

TEST_F(HandleRace, SpawnCancelAndEndGiveEachTaskOneEnd) {
  std::atomic<long> called{0};
  report_log log;
  accounted_executor tasks({.threads = 2});
  tasks.set_error_handler(log.handler());
  const long n = rounds(1'000'000) / 10;
  const auto alive = std::make_shared<int>(7);
  const auto submit = [&](unsigned seed) {
    std::minstd_rand random(seed);
    for (long i = 0; i != n; ++i) {
      std::array<task_handle<int>, 5> handles;
      for (task_handle<int>& each : handles) {
        each =
            tasks.spawn({.start = random() % 3 == 0 ? start_mode::guaranteed : start_mode::queued},
                        some_task, static_cast<unsigned>(random()), alive);
        each.on_done([&] { ++called; });
      }
      for (const task_handle<int>& each : handles) {
        each.cancel();
        each.cancel("again");
      }
    }
  };
  std::jthread one(submit, seed_);
  std::jthread two(submit, seed_ + 1);
  one.join();
  two.join();
  tasks.wait_until_idle();
  while (called != 10 * n) {  // One that was set behind the end comes by itself.
    std::this_thread::yield();
  }
  EXPECT_EQ(log.size(), tasks.counts().failed) << "each failure was reported once";
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(HandleRace, AwaitersCancelsAndEndsAgreeOnTheOutcome) {
  accounted_executor tasks({.threads = 2});
  tasks.set_error_handler([](const error_report&) {});
  const long n = rounds(1'000'000) / 10;
  const auto alive = std::make_shared<int>(7);
  tasks.block_on([&]() -> task<> {
    std::minstd_rand random(seed_);
    for (long i = 0; i != n; ++i) {
      const task_handle<int> target = spawn(some_task, static_cast<unsigned>(random()), alive);
      std::array<task_handle<seen>, 4> lookers;
      for (task_handle<seen>& each : lookers) {
        each = spawn(look, target);
      }
      if (random() % 2 == 0) {
        co_await yield();
      }
      lookers[0].cancel();
      const auto cancels = [=] { target.cancel(); };
      const task_handle<> canceller = spawn(cancels);
      std::vector<seen> views;
      for (std::size_t k = 1; k != lookers.size(); ++k) {
        views.push_back(co_await lookers[k]);
      }
      co_await canceller;
      const seen end = target.result().completed() ? seen::value
                       : target.result().failed()  ? seen::failure
                                                   : seen::cancelled;
      for (const seen view : views) {
        EXPECT_EQ(view, end);
      }
      while (!lookers[0].done()) {
        co_await yield();
      }
    }
  });
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(HandleRace, TimeoutsMeetTheEndOfTheirTasks) {
  accounted_executor tasks({.threads = 2});
  tasks.set_error_handler([](const error_report&) {});
  const long n = rounds(1'000'000) / 10;
  tasks.block_on([&]() -> task<> {
    std::minstd_rand random(seed_);
    const auto ends = [](duration d) -> task<> { co_await sleep_for(d); };
    for (long i = 0; i != n; ++i) {
      const auto when = std::chrono::microseconds(random() % 60);
      const task_handle<> one = spawn({.timeout = when}, ends, when);
      const task_handle<> two = spawn({.timeout = when}, ends, when + 1us);
      for (const task_handle<>& each : {one, two}) {
        try {
          co_await each;
        } catch (const timeout_error&) {
        }
      }
    }
  });
}

TEST_F(HandleRace, ManyThreadsUseOneHandle) {
  accounted_executor tasks({.threads = 2});
  const long n = rounds(100'000, 50);
  for (long i = 0; i != n; ++i) {
    std::atomic<int> called{0};
    task_handle<> shared = tasks.spawn([]() -> task<> {
      this_task::rename("one");
      co_await yield();
      this_task::rename("two");
      co_await sleep_for(forever);
    });
    std::atomic<int> ready{0};
    const auto use = [&](task_handle<> mine) {
      ++ready;
      while (ready != 3) {
        std::this_thread::yield();
      }
      mine.on_done([&] { ++called; });
      const cancel_token token = mine.token();
      EXPECT_TRUE(mine.name() == "" || mine.name() == "one" || mine.name() == "two");
      mine.cancel();
      while (!mine.done()) {
        static_cast<void>(mine.status());
        std::this_thread::yield();
      }
      EXPECT_TRUE(token.stop_requested());
    };
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t != 3; ++t) {
        threads.emplace_back(use, shared);
      }
      shared = {};
    }
    while (called != 3) {
      std::this_thread::yield();
    }
    tasks.wait_until_idle();
  }
}

}  // namespace
}  // namespace coppice
