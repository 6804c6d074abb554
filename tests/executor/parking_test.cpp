#include "executor/parking.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/load.h"

namespace coppice::detail {
namespace {

using testing_support::rounds;
using std::chrono_literals::operator""ms;

constexpr time_point never = time_point::max();

time_point soon() {
  return std::chrono::time_point_cast<duration>(clock::now()) + 2ms;
}

TEST(Parking, LetsHalfTheWorkersSearch) {
  parking idle(4);
  EXPECT_FALSE(idle.anyone_idle());
  EXPECT_TRUE(idle.begin_search());
  EXPECT_TRUE(idle.anyone_idle());
  EXPECT_TRUE(idle.begin_search());
  EXPECT_FALSE(idle.begin_search());
  EXPECT_FALSE(idle.end_search());
  EXPECT_TRUE(idle.begin_search());
}

TEST(Parking, LetsTheOnlyWorkerSearch) {
  parking idle(1);
  EXPECT_TRUE(idle.begin_search());
  EXPECT_FALSE(idle.begin_search());
}

TEST(Parking, AsksForNobodyWhileSomebodySearchesOrNobodySleeps) {
  parking idle(4);
  EXPECT_FALSE(idle.wanted());
  EXPECT_FALSE(idle.announce(0, false));
  EXPECT_TRUE(idle.wanted());
  EXPECT_TRUE(idle.begin_search());
  EXPECT_FALSE(idle.wanted());
  idle.retract(0);
}

// The last searcher hands the search on, or work that came meanwhile would lie until it is done.
TEST(Parking, TheLastSearcherIsToWakeOneOfThoseWhoSleep) {
  parking idle(4);
  EXPECT_FALSE(idle.announce(0, false));
  EXPECT_TRUE(idle.begin_search());
  EXPECT_TRUE(idle.begin_search());
  EXPECT_FALSE(idle.end_search());
  EXPECT_TRUE(idle.end_search());
}

TEST(Parking, TheLastSearcherHasNobodyToWakeIfNobodySleeps) {
  parking idle(4);
  EXPECT_TRUE(idle.begin_search());
  EXPECT_FALSE(idle.end_search());
}

TEST(Parking, SaysWhenAllSleep) {
  parking idle(2);
  EXPECT_TRUE(idle.begin_search());
  EXPECT_FALSE(idle.announce(0, true));
  EXPECT_FALSE(idle.all_asleep());
  EXPECT_TRUE(idle.announce(1, false));
  EXPECT_TRUE(idle.all_asleep());
  EXPECT_EQ(idle.sleeping(), 2u);
}

TEST(Parking, WhoRetractsSearches) {
  parking idle(2);
  EXPECT_FALSE(idle.announce(0, false));
  idle.retract(0);
  EXPECT_EQ(idle.sleeping(), 0u);
  EXPECT_FALSE(idle.begin_search());  // It is the one.
  EXPECT_FALSE(idle.end_search());
  EXPECT_FALSE(idle.anyone_idle());
}

TEST(Parking, WhoRetractsTooLateIsCountedOnce) {
  parking idle(2);
  EXPECT_FALSE(idle.announce(0, false));
  EXPECT_TRUE(idle.wake_one());
  idle.retract(0);
  EXPECT_EQ(idle.sleeping(), 0u);
  EXPECT_FALSE(idle.end_search());
  EXPECT_FALSE(idle.anyone_idle());
}

TEST(Parking, WakesNobodyTwice) {
  parking idle(2);
  EXPECT_FALSE(idle.announce(0, false));
  EXPECT_TRUE(idle.announce(1, false));
  EXPECT_TRUE(idle.wake_one());
  EXPECT_TRUE(idle.wake_one());
  EXPECT_FALSE(idle.wake_one());
}

TEST(Parking, WhoIsWokenBeforeItWaitsDoesNotSleep) {
  parking idle(1);
  EXPECT_TRUE(idle.announce(0, false));
  EXPECT_TRUE(idle.wake_one());
  EXPECT_TRUE(idle.wait(0, never));
  EXPECT_FALSE(idle.begin_search());  // It counts as searching.
}

TEST(Parking, SleepsUntilTheDeadlineAndNoLess) {
  parking idle(1);
  EXPECT_TRUE(idle.announce(0, false));
  const time_point until = soon();
  EXPECT_FALSE(idle.wait(0, until));
  EXPECT_GE(clock::now(), until);
  EXPECT_EQ(idle.sleeping(), 0u);
  EXPECT_FALSE(idle.wake_one());
  EXPECT_FALSE(idle.begin_search());  // It counts as searching.
}

TEST(Parking, ADeadlineThatHasPassedDoesNotHideAWake) {
  parking idle(1);
  EXPECT_TRUE(idle.announce(0, false));
  EXPECT_TRUE(idle.wake_one());
  EXPECT_TRUE(idle.wait(0, time_point{}));
}

TEST(Parking, WakesAllWhoSleep) {
  constexpr std::size_t count = 4;
  parking idle(count);
  std::atomic<std::size_t> awake{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i != count; ++i) {
      threads.emplace_back([&, i] {
        static_cast<void>(idle.announce(i, false));
        awake += idle.wait(i, never) ? 1 : 0;
      });
    }
    while (!idle.all_asleep()) {
      std::this_thread::yield();
    }
    idle.wake_all();
  }
  EXPECT_EQ(awake, count);
  EXPECT_EQ(idle.sleeping(), 0u);
}

// ---- The protocol (P1): announce, look again, sleep; publish, look who sleeps, wake -----------------

// Why a worker must look once more: what was published before the announcement wakes nobody behind it.
TEST(Parking, WorkFromBeforeTheAnnouncementWakesNobody) {
  parking idle(1);
  EXPECT_FALSE(idle.wanted());  // A producer, behind its push.
  EXPECT_TRUE(idle.announce(0, false));
  EXPECT_FALSE(idle.wait(0, soon()));
}

class ParkingProtocol : public testing::TestWithParam<std::size_t> {
 protected:
  // Takes one unit of work, and sleeps as long as there is none. False at the end.
  bool take(std::size_t worker) {
    bool searching = idle_.begin_search();
    for (;;) {
      if (take_if_any()) {
        if (searching && idle_.end_search()) {
          idle_.wake_one();
        }
        return true;
      }
      if (ended_.load()) {
        return false;
      }
      static_cast<void>(idle_.announce(worker, std::exchange(searching, true)));
      if (units_.load() > 0 || ended_.load()) {
        idle_.retract(worker);
      } else {
        static_cast<void>(idle_.wait(worker, never));
      }
    }
  }

  void put() {
    units_.fetch_add(1);
    if (idle_.wanted()) {
      idle_.wake_one();
    }
  }

  void end() {
    ended_.store(true);
    idle_.wake_all();
  }

  parking idle_{GetParam()};
  std::atomic<long> units_{0};
  std::atomic<bool> ended_{false};

 private:
  bool take_if_any() {
    long units = units_.load();
    while (units > 0) {
      if (units_.compare_exchange_weak(units, units - 1)) {
        return true;
      }
    }
    return false;
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, ParkingProtocol, testing::Values(1u, 2u, 4u));

// One unit at a time, and the next only when it has been taken: a lost wake-up would end it all.
TEST_P(ParkingProtocol, LosesNoWakeUp) {
  const long count = rounds(1'000'000, 5'000);
  std::atomic<long> taken{0};
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i != GetParam(); ++i) {
    workers.emplace_back([&, i] {
      while (take(i)) {
        taken.fetch_add(1);
        taken.notify_one();
      }
    });
  }
  for (long done = 0; done != count; ++done) {
    put();
    taken.wait(done);
  }
  end();
  workers.clear();
  EXPECT_EQ(taken, count);
  EXPECT_EQ(units_, 0);
}

// Several producers in bursts: all units are taken, and none twice.
TEST_P(ParkingProtocol, LeavesNoWorkBehind) {
  const long count = rounds(1'000'000, 5'000);
  std::atomic<long> taken{0};
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i != GetParam(); ++i) {
    workers.emplace_back([&, i] {
      while (take(i)) {
        taken.fetch_add(1);
      }
    });
  }
  {
    std::vector<std::jthread> producers;
    for (int i = 0; i != 2; ++i) {
      producers.emplace_back([&] {
        for (long each = 0; each != count; ++each) {
          put();
        }
      });
    }
  }
  while (taken.load() != 2 * count) {
    std::this_thread::yield();
  }
  end();
}

}  // namespace
}  // namespace coppice::detail
