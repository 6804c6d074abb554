// Signals against stops of who waits for them, and against listeners that go.
#include <coppice/executor.h>
#include <coppice/signals.h>
#include <gtest/gtest.h>

#include <csignal>

#include <atomic>
#include <functional>
#include <optional>

#include "tests/support/accounting.h"
#include "tests/support/load.h"
#include "tests/support/race.h"

namespace coppice {
namespace {

using testing_support::accounted_executor;
using testing_support::race;
using testing_support::rounds;

task<int> next_of(signal_receiver& from) {
  co_return co_await from.next();
}

class SignalRaces : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, SignalRaces, testing::Values(1u, 2u, 4u));

// One signal a round: the task has it, or it is still there.
TEST_P(SignalRaces, ASignalIsTakenOnceOrKeptWhenItsWaitIsStopped) {
  signal_receiver receiver({SIGUSR1});
  accounted_executor on({.threads = GetParam()});
  task_handle<int> waiting;
  long taken = 0;
  long kept = 0;
  long n = 0;
  const auto before = [&] { waiting = on.spawn(next_of, std::ref(receiver)); };
  const auto raise = [] { std::raise(SIGUSR1); };
  const auto cancel = [&] { waiting.cancel(); };
  const auto after = [&] {
    ++n;
    on.wait_until_idle();
    const bool got = waiting.status() == task_status::completed;
    const std::optional<int> left = receiver.try_next();
    EXPECT_NE(got, left.has_value());
    taken += got ? 1 : 0;
    kept += left ? 1 : 0;
  };
  race(rounds(1'000'000) / 3 + 1, before, {raise, cancel}, after);
  EXPECT_EQ(taken + kept, n);
}

// What comes goes to the listener, or to who was there before.
TEST(SignalListenerRaces, ASignalIsHeardOnceWhileListenersComeAndGo) {
  static std::atomic<long> heard_before{0};
  struct sigaction action = {};
  struct sigaction original = {};
  action.sa_handler = [](int) { heard_before.fetch_add(1); };
  ::sigaction(SIGUSR1, &action, &original);
  long heard = 0;
  long n = 0;
  const auto raise = [] { std::raise(SIGUSR1); };
  const auto listen = [&] {
    signal_receiver receiver({SIGUSR1});
    heard += receiver.try_next() ? 1 : 0;
  };
  race(rounds(300'000), [] {}, {raise, listen}, [&] { ++n; });
  EXPECT_EQ(heard + heard_before, n);
  ::sigaction(SIGUSR1, &original, nullptr);
}

}  // namespace
}  // namespace coppice
