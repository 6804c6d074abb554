#include "executor/timers.h"

#include <coppice/detail/suspension.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <new>
#include <random>
#include <vector>

#include "tests/support/failing_new.h"

namespace coppice::detail {
namespace {

using std::chrono_literals::operator""ns;
using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;

constexpr time_point start{std::chrono::hours(1)};

struct waiting : suspension {};

struct timer {
  time_point due;
  int inserted;
  ticket wait;

  bool operator<(const timer& other) const {
    return due != other.due ? due < other.due : inserted < other.inserted;
  }
};

class TimerHeap : public testing::Test {
 protected:
  // A wait that has begun: its ticket is open.
  ticket begin() {
    slot& at = slots_.emplace_back();
    const ticket wait{&at, at.arm(waiter_)};
    EXPECT_TRUE(at.publish(wait.generation));
    return wait;
  }

  // The wait of the ticket ends otherwise than by its timer.
  static void end(const ticket& wait) {
    EXPECT_EQ(wait.claim(), claim_result::won);
    wait.at->release();
  }

  ticket add(time_point due) {
    const ticket wait = begin();
    timers_.insert(due, wait);
    return wait;
  }

  std::vector<ticket> take_all(time_point now) {
    std::vector<ticket> taken;
    while (const ticket due = timers_.take_due(now)) {
      taken.push_back(due);
    }
    return taken;
  }

  static bool same(const ticket& a, const ticket& b) {
    return a.at == b.at && a.generation == b.generation;
  }

  waiting waiter_;
  std::deque<slot> slots_;
  timer_heap timers_;
};

TEST_F(TimerHeap, IsEmptyAtFirst) {
  EXPECT_TRUE(timers_.empty());
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_EQ(timers_.earliest(), time_point::max());
  EXPECT_FALSE(timers_.earliest_open());
  EXPECT_EQ(timers_.open_count(), 0u);
  EXPECT_FALSE(timers_.take_due(time_point::max()));
}

TEST_F(TimerHeap, IsNeverEarly) {
  const ticket wait = add(start + 5ns);
  EXPECT_EQ(timers_.earliest(), start + 5ns);
  EXPECT_FALSE(timers_.take_due(start + 4ns));
  EXPECT_EQ(timers_.size(), 1u);
  EXPECT_TRUE(same(timers_.take_due(start + 5ns), wait));
  EXPECT_TRUE(timers_.empty());
}

TEST_F(TimerHeap, GivesEqualTimesInOrderOfInsertion) {
  std::vector<ticket> expected;
  for (int i = 0; i != 1'000; ++i) {
    expected.push_back(add(start));
  }
  const std::vector<ticket> taken = take_all(start);
  ASSERT_EQ(taken.size(), expected.size());
  for (std::size_t i = 0; i != taken.size(); ++i) {
    ASSERT_TRUE(same(taken[i], expected[i])) << i;
  }
}

TEST_F(TimerHeap, GivesTimesInOrderAndEqualOnesInOrderOfInsertion) {
  std::mt19937 random(1);
  std::vector<timer> expected;
  for (int i = 0; i != 2'000; ++i) {
    const time_point due = start + duration(random() % 100);
    expected.push_back({due, i, add(due)});
  }
  std::sort(expected.begin(), expected.end());
  for (const timer& each : expected) {
    ASSERT_EQ(timers_.earliest(), each.due);
    ASSERT_TRUE(same(timers_.take_due(time_point::max()), each.wait));
  }
  EXPECT_TRUE(timers_.empty());
}

// The sweep fills gaps anywhere in the heap, which has to remain one.
TEST_F(TimerHeap, KeepsItsOrderWhileVoidTimersAreSweptOut) {
  std::mt19937 random(2);
  std::vector<timer> open;
  for (int i = 0; i != 5'000; ++i) {
    const time_point due = start + duration(random() % 1'000);
    open.push_back({due, i, add(due)});
    if (random() % 2 == 0) {
      const std::size_t victim = random() % open.size();
      end(open[victim].wait);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(victim));
    }
  }
  EXPECT_EQ(timers_.open_count(), open.size());
  std::sort(open.begin(), open.end());
  std::size_t next = 0;
  for (const ticket& each : take_all(time_point::max())) {
    if (each.open()) {
      ASSERT_LT(next, open.size());
      ASSERT_TRUE(same(each, open[next++].wait));
    }
  }
  EXPECT_EQ(next, open.size());
}

TEST_F(TimerHeap, DropsVoidTimersInSearchOfTheEarliestOpenOne) {
  const ticket first = add(start);
  const ticket second = add(start + 1ns);
  add(start + 2ns);
  end(second);
  EXPECT_EQ(timers_.earliest_open(), start);
  EXPECT_EQ(timers_.open_count(), 2u);
  end(first);
  EXPECT_EQ(timers_.earliest(), start);
  EXPECT_EQ(timers_.earliest_open(), start + 2ns);
  EXPECT_EQ(timers_.earliest(), start + 2ns);
  EXPECT_EQ(timers_.size(), 1u);
}

// One deadline that is moved 20 000 times: each time a new timer, and the one before it void.
TEST_F(TimerHeap, StaysSmallUnderReschedules) {
  ticket deadline = add(start);
  std::size_t largest = 0;
  for (int i = 1; i != 20'000; ++i) {
    end(deadline);
    deadline = add(start + duration(i));
    largest = std::max(largest, timers_.size());
  }
  EXPECT_LE(largest, 4u);
  EXPECT_EQ(timers_.open_count(), 1u);
  EXPECT_EQ(timers_.earliest_open(), start + duration(19'999));
}

// The same beside many that stay: there is about as much void as open.
TEST_F(TimerHeap, StaysSmallUnderReschedulesBesideTimersThatStay) {
  constexpr std::size_t staying = 1'000;
  for (std::size_t i = 0; i != staying; ++i) {
    add(start + std::chrono::hours(1));
  }
  ticket deadline = add(start);
  std::size_t largest = 0;
  for (int i = 1; i != 20'000; ++i) {
    end(deadline);
    deadline = add(start + duration(i));
    largest = std::max(largest, timers_.size());
  }
  EXPECT_LE(largest, 3 * staying);
  EXPECT_EQ(timers_.open_count(), staying + 1);
}

TEST_F(TimerHeap, IsSweptCleanOfCancelledTimersByAsManyInsertions) {
  std::vector<ticket> cancelled;
  for (int i = 0; i != 20'000; ++i) {
    cancelled.push_back(add(start + duration(i)));
  }
  for (const ticket& each : cancelled) {
    end(each);
  }
  for (int i = 0; i != 20'001; ++i) {
    const ticket brief = add(start);
    end(brief);
  }
  EXPECT_LE(timers_.size(), 2u);
}

TEST_F(TimerHeap, IsAsBeforeWhenThereIsNoMemory) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  add(start);
  const ticket wait = begin();
  std::size_t refused = 0;
  for (int i = 0; i != 3; ++i) {
    const fail_allocation_at failure(1);
    try {
      timers_.insert(start + duration(i), wait);
    } catch (const std::bad_alloc&) {
      ++refused;
    }
  }
  EXPECT_GE(refused, 1u);
  EXPECT_EQ(take_all(start + 3ns).size(), 4 - refused);
}

}  // namespace
}  // namespace coppice::detail
