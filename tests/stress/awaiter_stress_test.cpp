#include <coppice/awaiter.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/load.h"
#include "tests/support/race.h"

namespace coppice {
namespace {

using testing_support::accounted_executor;
using testing_support::race;
using testing_support::rounds;

constexpr long batch =
    64;  // Operations a round: the racers then meet at many points of their lives.

// Counts what happens to one operation. Its object is destroyed as soon as it may be, so that a sanitizer
// sees whoever comes too late.
struct fate {
  std::atomic<bool> started{false};
  completion<int> done;
  std::atomic<int> wins{0};
  std::atomic<int> cancels{0};
  std::atomic<bool> in_cancel{false};
  std::atomic<int> destroyed{0};
  bool stops_when_asked = true;
  task_handle<int> task;
};

class raced_operation {
 public:
  using value_type = int;

  explicit raced_operation(fate& of) : of_(&of), alive_(std::make_unique<int>(1)) {}
  raced_operation(raced_operation&& other) noexcept
      : of_(std::exchange(other.of_, nullptr)), alive_(std::move(other.alive_)) {}
  raced_operation& operator=(raced_operation&&) = delete;
  ~raced_operation() {
    if (of_ != nullptr && of_->started.load()) {
      EXPECT_FALSE(of_->in_cancel.load());
      of_->destroyed.fetch_add(1);
    }
  }

  void start(completion<int> done) {
    of_->done = std::move(done);
    of_->started.store(true);
  }

  void cancel() noexcept {
    of_->in_cancel.store(true);
    of_->cancels.fetch_add(1);
    if (of_->stops_when_asked && of_->done.stopped()) {
      of_->wins.fetch_add(1);
    }
    *alive_ += 1;
    of_->in_cancel.store(false);
  }

 private:
  fate* of_;
  std::unique_ptr<int> alive_;
};

task<int> performing(fate& of) {
  co_return co_await perform(raced_operation(of));
}

class AwaiterRaces : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, AwaiterRaces, testing::Values(1u, 2u, 4u));

TEST_P(AwaiterRaces, EveryOperationEndsOnceWhenCancelAndCompletionMeet) {
  std::vector<std::unique_ptr<fate>> fates;
  long values = 0;
  long stops = 0;
  accounted_executor on({.threads = GetParam()});
  const auto before = [&] {
    fates.clear();
    for (long i = 0; i != batch; ++i) {
      fates.push_back(std::make_unique<fate>());
      fates.back()->stops_when_asked = i % 3 != 0;
      fates.back()->task = on.spawn(performing, std::ref(*fates.back()));
    }
  };
  const auto complete = [&] {
    for (const auto& each : fates) {
      while (!each->started.load() && !each->task.done()) {
        std::this_thread::yield();
      }
      if (each->started.load() && each->done.complete(7)) {
        each->wins.fetch_add(1);
      }
    }
  };
  const auto cancel = [&] {
    for (const auto& each : fates) {
      each->task.cancel();
    }
  };
  const auto after = [&] {
    on.wait_until_idle();
    for (const auto& each : fates) {
      const bool started = each->started.load();
      EXPECT_EQ(each->wins.load(), started ? 1 : 0);
      EXPECT_EQ(each->destroyed.load(), started ? 1 : 0);
      EXPECT_LE(each->cancels.load(), started ? 1 : 0);
      if (each->task.status() == task_status::completed) {
        EXPECT_EQ(each->task.result().get(), 7);
        ++values;
      } else {
        EXPECT_EQ(each->task.status(), task_status::cancelled);
        EXPECT_TRUE(!started || (each->stops_when_asked && each->cancels.load() == 1));
        ++stops;
      }
    }
  };
  race(rounds(1'000'000) / batch / 3 + 1, before, {complete, cancel}, after);
  EXPECT_GT(values, 0);
  EXPECT_GT(stops + values, batch - 1);
}

// The same where the completing thread has only a drop to do it with.
TEST_P(AwaiterRaces, TheLastDropEndsItToo) {
  std::vector<std::unique_ptr<fate>> fates;
  accounted_executor on({.threads = GetParam()});
  const auto forgetful = [](fate& of) -> task<int> {
    try {
      co_return co_await perform(raced_operation(of));
    } catch (const usage_error&) {
      co_return -1;
    }
  };
  const auto before = [&] {
    fates.clear();
    for (long i = 0; i != batch; ++i) {
      fates.push_back(std::make_unique<fate>());
      fates.back()->stops_when_asked = false;
      fates.back()->task = on.spawn(forgetful, std::ref(*fates.back()));
    }
  };
  const auto drop = [&] {
    for (const auto& each : fates) {
      while (!each->started.load() && !each->task.done()) {
        std::this_thread::yield();
      }
      each->done = completion<int>();
    }
  };
  const auto cancel = [&] {
    for (const auto& each : fates) {
      each->task.cancel();
    }
  };
  const auto after = [&] {
    on.wait_until_idle();
    for (const auto& each : fates) {
      EXPECT_EQ(each->task.status(),
                each->started.load() ? task_status::completed : task_status::cancelled);
      EXPECT_EQ(each->destroyed.load(), each->started.load() ? 1 : 0);
    }
  };
  race(rounds(300'000) / batch / 3 + 1, before, {drop, cancel}, after);
}

// Two threads complete the same operation, while its task is on its way to sleep.
TEST_P(AwaiterRaces, OneOfTwoCompletionsWins) {
  std::vector<std::unique_ptr<fate>> fates;
  accounted_executor on({.threads = GetParam()});
  const auto before = [&] {
    fates.clear();
    for (long i = 0; i != batch; ++i) {
      fates.push_back(std::make_unique<fate>());
      fates.back()->task = on.spawn(performing, std::ref(*fates.back()));
    }
  };
  const auto complete_with = [&](int value) {
    for (const auto& each : fates) {
      while (!each->started.load()) {
        std::this_thread::yield();
      }
      if (each->done.complete(value)) {
        each->wins.fetch_add(value);
      }
    }
  };
  const auto after = [&] {
    on.wait_until_idle();
    for (const auto& each : fates) {
      EXPECT_EQ(each->task.result().get(), each->wins.load());
    }
  };
  race(rounds(300'000) / batch / 3 + 1, before,
       {[&] { complete_with(1); }, [&] { complete_with(2); }}, after);
}

// The one worker whose order a seed decides looks for wakes at two places, and must not sleep on what it found at
// the second.
TEST(SeededWorkerRaces, AWakeThatComesAsItGoesToSleepIsNotLeftBehind) {
  constexpr detail::test_setup seeded{.seed = 1};
  std::optional<fate> only;
  accounted_executor on({.threads = 1}, &seeded);
  const auto before = [&] { only.emplace(); };
  const auto perform_one = [&] { EXPECT_EQ(on.block_on(performing, std::ref(*only)), 7); };
  const auto complete = [&] {
    while (!only->started.load()) {
      std::this_thread::yield();
    }
    EXPECT_TRUE(only->done.complete(7));
  };
  race(rounds(100'000), before, {perform_one, complete}, [] {});
}

// Hands coroutines to a thread that resumes them at once.
class resumer {
 public:
  class awaiter {
   public:
    explicit awaiter(resumer& by) : by_(by), alive_(std::make_unique<int>(1)) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) { by_.next_.store(awaiting.address()); }
    int await_resume() const noexcept { return *alive_; }

   private:
    resumer& by_;
    std::unique_ptr<int> alive_;
  };

  resumer() = default;
  resumer(const resumer&) = delete;
  resumer& operator=(const resumer&) = delete;
  ~resumer() { dismissed_.store(true); }

 private:
  void run() {
    while (!dismissed_.load()) {
      if (void* const found = next_.exchange(nullptr)) {
        std::coroutine_handle<>::from_address(found).resume();
      } else {
        std::this_thread::yield();
      }
    }
  }

  std::atomic<void*> next_{nullptr};
  std::atomic<bool> dismissed_{false};
  std::jthread thread_{[this] { run(); }};
};

TEST_P(AwaiterRaces, ForeignAwaitablesMayResumeBeforeTheTaskSleeps) {
  resumer by;
  accounted_executor on({.threads = GetParam()});
  const auto body = [&](long n) -> task<long> {
    long sum = 0;
    for (long i = 0; i != n; ++i) {
      sum += co_await resumer::awaiter(by);
    }
    co_return sum;
  };
  const long n = rounds(300'000) / 3;
  EXPECT_EQ(on.block_on(body, n), n);
}

// The call that ends the last task may still be under way when the executor goes.
TEST_P(AwaiterRaces, TheExecutorMayGoWhileItsLastCompletingCallReturns) {
  std::optional<accounted_executor> on;
  std::unique_ptr<fate> only;
  const auto before = [&] {
    on.emplace(options{.threads = GetParam()});
    only = std::make_unique<fate>();
    only->task = on->spawn(performing, std::ref(*only));
    while (!only->started.load()) {
      std::this_thread::yield();
    }
  };
  const auto complete = [&] { EXPECT_TRUE(only->done.complete(7)); };
  const auto end = [&] {
    on->wait_until_idle();
    on.reset();
  };
  const auto after = [&] { EXPECT_EQ(only->task.result().get(), 7); };
  race(rounds(10'000) / 3 + 1, before, {complete, end}, after);
}

}  // namespace
}  // namespace coppice
