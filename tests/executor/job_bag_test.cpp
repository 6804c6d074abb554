#include "executor/job_bag.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "tests/support/failing_new.h"

namespace coppice::detail {
namespace {

using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::failing_times;

class JobBag : public testing::Test {
 protected:
  static constexpr std::size_t many = 1'000;

  void add_all(job_bag& bag, std::size_t from = 0, std::size_t to = many) {
    for (std::size_t i = from; i != to; ++i) {
      ASSERT_TRUE(bag.make_room());
      bag.add(jobs_[i]);
    }
  }

  std::vector<std::size_t> draw_all(job_bag& bag) {
    std::vector<std::size_t> order;
    while (job* const drawn = bag.draw()) {
      order.push_back(static_cast<std::size_t>(drawn - jobs_.data()));
    }
    return order;
  }

  std::vector<std::size_t> order_of(std::uint64_t seed, bool shuffle) {
    job_bag bag(seed, shuffle);
    add_all(bag);
    return draw_all(bag);
  }

  static std::vector<std::size_t> in_order() {
    std::vector<std::size_t> order(many);
    for (std::size_t i = 0; i != many; ++i) {
      order[i] = i;
    }
    return order;
  }

  std::array<job, many> jobs_{};
};

TEST_F(JobBag, IsEmptyAtFirst) {
  job_bag bag(1, true);
  EXPECT_TRUE(bag.empty());
  EXPECT_EQ(bag.draw(), nullptr);
}

TEST_F(JobBag, GivesEachJobOnce) {
  std::vector<std::size_t> order = order_of(1, true);
  EXPECT_NE(order, in_order());
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, in_order());
}

TEST_F(JobBag, GivesTheSameOrderForTheSameSeed) {
  EXPECT_EQ(order_of(7, true), order_of(7, true));
}

TEST_F(JobBag, GivesAnotherOrderForAnotherSeed) {
  EXPECT_NE(order_of(7, true), order_of(8, true));
}

// Pinned, so that a seed written down today is worth something tomorrow.
TEST_F(JobBag, GivesTheOrderItHasAlwaysGiven) {
  job_bag bag(1, true);
  add_all(bag, 0, 8);
  EXPECT_EQ(draw_all(bag), (std::vector<std::size_t>{0, 2, 7, 1, 5, 3, 6, 4}));
}

TEST_F(JobBag, IsFirstInFirstOutUnlessShuffled) {
  EXPECT_EQ(order_of(7, false), in_order());
  EXPECT_EQ(order_of(8, false), in_order());
}

TEST_F(JobBag, StaysInOrderWhileItIsFilledAndEmptied) {
  job_bag bag(1, false);
  std::size_t added = 0;
  std::size_t drawn = 0;
  while (added != many) {
    add_all(bag, added, std::min(added + 7, many));
    added = std::min(added + 7, many);
    for (int i = 0; i != 5; ++i) {
      ASSERT_EQ(bag.draw(), &jobs_[drawn++]);
    }
  }
  while (job* const next = bag.draw()) {
    ASSERT_EQ(next, &jobs_[drawn++]);
  }
  EXPECT_EQ(drawn, many);
  EXPECT_TRUE(bag.empty());
}

TEST_F(JobBag, GivesWhatIsAddedFirstFirst) {
  job_bag bag(1, false);
  add_all(bag, 0, 3);
  const auto add_first = [&](job& ready) {
    ASSERT_TRUE(bag.make_room());
    bag.add_first(ready);
  };
  add_first(jobs_[3]);
  add_first(jobs_[4]);
  EXPECT_EQ(bag.draw(), &jobs_[4]);
  EXPECT_EQ(bag.draw(), &jobs_[3]);
  EXPECT_EQ(bag.draw(), &jobs_[0]);
  add_first(jobs_[5]);
  EXPECT_EQ(draw_all(bag), (std::vector<std::size_t>{5, 1, 2}));
  add_first(jobs_[6]);
  EXPECT_EQ(bag.draw(), &jobs_[6]);
}

TEST_F(JobBag, HasNoRoomWithoutMemory) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  job_bag bag(1, false);
  std::size_t taken = 0;
  {
    const fail_allocation_at failure(1, failing_threads::caller, failing_times::from_there_on);
    while (bag.make_room()) {
      bag.add(jobs_[taken++]);
      ASSERT_LT(taken, many);
    }
    EXPECT_EQ(bag.draw(), &jobs_[0]);
  }
  EXPECT_TRUE(bag.make_room());
  EXPECT_EQ(draw_all(bag).size(), taken - 1);
}

}  // namespace
}  // namespace coppice::detail
