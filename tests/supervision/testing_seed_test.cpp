#include <coppice/testing.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/environment.h"
#include "tests/support/stub_event.h"

namespace coppice {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""s;
using testing::HasSubstr;
using testing_support::environment_guard;
using testing_support::stub_event;

// ---- Seeds --------------------------------------------------------------------------------------

TEST(TestRuntimeSeed, IsTheOption) {
  const environment_guard environment("COPPICE_TEST_SEED", "5");
  EXPECT_EQ(test_runtime({.seed = 7}).seed(), 7u);
  EXPECT_EQ(test_runtime({.workers = 2, .seed = 0}).seed(), 0u);
}

TEST(TestRuntimeSeed, IsElseThatOfTheEnvironment) {
  const environment_guard environment("COPPICE_TEST_SEED", "18446744073709551615");
  EXPECT_EQ(test_runtime().seed(), 0xffff'ffff'ffff'ffff);
}

TEST(TestRuntimeSeed, IsElseDrawn) {
  const environment_guard environment;
  std::set<std::uint64_t> seeds;
  for (int i = 0; i != 10; ++i) {
    seeds.insert(test_runtime().seed());
  }
  EXPECT_EQ(seeds.size(), 10u);
}

// What is spawned from inside and from outside, sleeps, forks and cancels.
std::string history(test_options with) {
  test_runtime test(with);
  std::string order;
  const auto step = [&order](char letter) -> task<> {
    for (int i = 0; i != 3; ++i) {
      order += letter;
      co_await yield();
    }
    co_await sleep_for(1s);
    order += letter;
  };
  for (char letter = 'a'; letter != 'f'; ++letter) {
    test.spawn(step, letter);
  }
  test.block_on([&]() -> task<> {
    std::vector<task_handle<>> handles;
    for (char letter = 'A'; letter != 'F'; ++letter) {
      handles.push_back(spawn(step, letter));
    }
    co_await wait_all_tasks_blocked();
    order += '-';
    handles[0].cancel();
    for (const task_handle<>& each : handles) {
      while (!each.done()) {
        co_await sleep_for(1s);
      }
    }
  });
  return order;
}

TEST(TestRuntimeSeed, GivesTheSameRunAgain) {
  std::set<std::string> histories;
  for (std::uint64_t seed = 0; seed != 20; ++seed) {
    const std::string first = history({.seed = seed});
    for (int i = 0; i != 3; ++i) {
      ASSERT_EQ(history({.seed = seed}), first) << "seed " << seed;
    }
    histories.insert(first);
  }
  EXPECT_GT(histories.size(), 15u);
}

TEST(TestRuntimeSeed, DecidesNothingUnlessShuffled) {
  const std::string first = history({.seed = 1, .shuffle = false});
  EXPECT_EQ(first.substr(0, 30), "abcdeabcdeABCDEabcdeABCDEABCDE");
  EXPECT_EQ(history({.seed = 2, .shuffle = false}), first);
}

TEST(TestRuntimeSeed, IsPrintedWhenAnExceptionEndsTheTest) {
  testing::internal::CaptureStderr();
  try {
    test_runtime test({.seed = 4711});
    throw std::runtime_error("the test fails");
  } catch (const std::runtime_error&) {
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("COPPICE_TEST_SEED=4711"));
  testing::internal::CaptureStderr();
  {
    test_runtime test({.seed = 4711});
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// ---- The end of one -----------------------------------------------------------------------------

class TestRuntimeDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

task<> never_run() {
  co_return;
}

TEST_F(TestRuntimeDeathTest, TerminatesForAFrameThatIsLeftAlive) {
  EXPECT_DEATH(
      {
        test_runtime test({.seed = 4711});
        test.block_on([]() -> task<> {
          static_cast<void>(new task<>(never_run()));
          co_return;
        });
      },
      "1 coroutine frame.s. are left alive(.|\n)*COPPICE_TEST_SEED=4711");
}

// One that waits for something that neither a cancel nor anybody else ends. One of ours that heeds
// nothing: nothing is expected from outside, as it would be for a foreign one.
struct deaf_wait : detail::own_awaitable {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  void await_resume() const noexcept {}
};

TEST_F(TestRuntimeDeathTest, TerminatesForATaskThatNeverEnds) {
  EXPECT_DEATH(
      {
        test_runtime test({.seed = 4711});
        test.spawn({.name = "deaf"}, []() -> task<> { co_await deaf_wait(); });
        test.run_until_blocked();
      },
      "asked to stop and never will(.|\n)*deaf(.|\n)*COPPICE_TEST_SEED=4711");
}

}  // namespace
}  // namespace coppice
