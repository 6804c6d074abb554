// Races of events, latches and barriers with cancels and time limits; every arrival is counted.
#include <coppice/barrier.h>
#include <coppice/event.h>
#include <coppice/group.h>
#include <coppice/latch.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/spawn.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>

#include "tests/support/load.h"
#include "tests/support/racing.h"
#include "tests/support/resident_memory.h"
#include "tests/support/sanitizers.h"
#include "tests/support/waiting.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::cancel_later;
using testing_support::dice;
using testing_support::give_way;
using testing_support::race_test;
using testing_support::resident_bytes;
using testing_support::rounds;
using testing_support::start_and_perhaps_stop;
using testing_support::under_address_sanitizer;
using testing_support::under_thread_sanitizer;

class WaitingRace : public race_test {};

constexpr long all_rounds = 1'000'000;

TEST_F(WaitingRace, EventAgainstCancel) {
  std::atomic<long> passed{0};
  const round each = [&](dice& random) -> task<> {
    event happened;
    long must_pass = 0;
    std::atomic<long> here{0};
    const auto wait = [&]() -> task<> {
      co_await happened.wait();
      here.fetch_add(1);
    };
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != 3; ++i) {
        must_pass += start_and_perhaps_stop(all, wait, random) ? 1 : 0;
      }
      co_await give_way(random() % 4);
      happened.set();
      if (random() % 2 == 0) {
        co_await give_way(random() % 2);
        happened.set();
      }
    });
    EXPECT_GE(here.load(), must_pass);
    EXPECT_LE(here.load(), 3);
    passed.fetch_add(here.load());
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  EXPECT_LE(passed.load(), 3 * n);
}

// One who waits after a reset waits for a later set, and each set is answered before the next.
TEST_F(WaitingRace, EventSetAndResetWithWhoWaitsAgainAndAgain) {
  const long n = rounds(all_rounds);
  event ask;
  event answer;
  long asked = 0;
  runtime rt(several_threads());
  rt.block_on([&]() -> task<> {
    const task_handle<> answering = spawn([&]() -> task<> {
      for (long i = 0; i != n; ++i) {
        co_await ask.wait();
        ask.reset();
        ++asked;
        answer.set();
      }
    });
    for (long i = 0; i != n; ++i) {
      ask.set();
      co_await answer.wait();
      answer.reset();
      EXPECT_EQ(asked, i + 1);
    }
    co_await answering;
  });
}

TEST_F(WaitingRace, LatchAgainstCancel) {
  const round each = [&](dice& random) -> task<> {
    async_latch latch(4);
    std::atomic<int> counted{0};
    const auto arrive = [&]() -> task<> {
      counted.fetch_add(1);
      latch.count_down();
      co_await latch.wait();
      EXPECT_EQ(counted.load(), 4);
    };
    const auto arrive_at_once = [&]() -> task<> {
      counted.fetch_add(1);
      co_await latch.arrive_and_wait();
      EXPECT_EQ(counted.load(), 4);
    };
    co_await with_group([&](task_group& all) -> task<> {
      const auto wait = [&]() -> task<> {
        co_await latch.wait();
        EXPECT_EQ(counted.load(), 4);
      };
      start_and_perhaps_stop(all, wait, random);
      start_and_perhaps_stop(all, wait, random);
      all.spawn(arrive);
      all.spawn(arrive);
      all.spawn(arrive_at_once);
      co_await arrive_at_once();
    });
    EXPECT_TRUE(latch.try_wait());
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
}

// Who is stopped has arrived for good if all others have come meanwhile; else it has not, and another can come instead.
TEST_F(WaitingRace, BarrierAgainstCancel) {
  const round each = [&](dice& random) -> task<> {
    async_barrier barrier(2);
    const auto meet = [&]() -> task<> { co_await barrier.arrive_and_wait(); };
    co_await with_group([&](task_group& all) -> task<> {
      const task_handle<> one = all.spawn(meet);
      const task_handle<> other = all.spawn(meet);
      all.spawn(cancel_later, one, random() % 4);
      co_await give_way(random() % 4);
      const outcome<> end = co_await as_result(one);
      while (end.failed() && !other.done()) {
        co_await move_on_after(20us, meet);
      }
    });
    const task_handle<> alone = spawn(meet);
    co_await give_way(2);
    EXPECT_FALSE(alone.done()) << "an arrival was counted twice";
    barrier.arrive_and_drop();
    co_await alone;
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
}

TEST_F(WaitingRace, EventSetByAPlainThreadAndDestroyedByWhoSeesIt) {
  constexpr std::size_t at_once = 50;
  const long batches = rounds(all_rounds) / static_cast<long>(at_once);
  std::array<std::atomic<event*>, at_once> given{};
  std::jthread setting([&] {
    for (long batch = 0; batch != batches; ++batch) {
      for (std::atomic<event*>& each : given) {
        each.wait(nullptr);
        each.exchange(nullptr)->set();
      }
    }
  });
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    for (long batch = 0; batch != batches; ++batch) {
      std::array<std::unique_ptr<event>, at_once> events;
      for (std::size_t i = 0; i != at_once; ++i) {
        events[i] = std::make_unique<event>();
        given[i].store(events[i].get());
        given[i].notify_one();
      }
      for (std::size_t i = 0; i != at_once; ++i) {
        if (i % 2 == 0) {
          co_await events[i]->wait();
        }
        while (!events[i]->is_set()) {
          co_await yield();
        }
        events[i].reset();
      }
    }
  });
}

TEST_F(WaitingRace, AMillionWhoGiveUpLeaveNoMemoryBehind) {
  constexpr int at_once = 1'000;
  event never;
  runtime rt({.threads = 2});
  const auto give_up = [&]() -> task<> { co_await move_on_after(1us, never.wait()); };
  const auto many = [&](long n) -> task<> {
    for (long i = 0; i < n; i += at_once) {
      co_await with_group([&](task_group& all) -> task<> {
        for (int j = 0; j != at_once; ++j) {
          all.spawn(give_up);
        }
        co_return;
      });
    }
  };
  rt.block_on([&]() -> task<> { co_await many(10 * at_once); });
  const std::size_t before = resident_bytes();
  rt.block_on([&]() -> task<> { co_await many(rounds(all_rounds, 50 * at_once)); });
  if (!under_address_sanitizer && !under_thread_sanitizer) {  // They keep things for themselves.
    EXPECT_LT(resident_bytes(), before + 4 * 1024 * 1024);
  }
}

}  // namespace
}  // namespace coppice
