#include "executor/inbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/failing_new.h"
#include "tests/support/load.h"

namespace coppice::detail {
namespace {

using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::failing_times;
using testing_support::rounds;

struct numbered_job : job {
  long number = 0;
  int seen = 0;
};

TEST(Inbox, IsEmptyAtFirst) {
  inbox fresh;
  EXPECT_EQ(fresh.try_pop(), nullptr);
}

TEST(Inbox, GivesWhatOneThreadPutsInOrder) {
  inbox jobs;
  std::vector<numbered_job> all(1'000);
  for (numbered_job& each : all) {
    ASSERT_TRUE(jobs.push(each));
  }
  for (numbered_job& each : all) {
    ASSERT_EQ(jobs.try_pop(), &each);
  }
  EXPECT_EQ(jobs.try_pop(), nullptr);
}

TEST(Inbox, WithoutMemoryRefusesAndGoesOnWhenThereIsSome) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  inbox jobs;
  std::vector<numbered_job> all(1'000);
  std::vector<numbered_job*> accepted;
  accepted.reserve(all.size());
  std::size_t refused = 0;
  for (std::size_t i = 0; i != all.size(); ++i) {
    const fail_allocation_at no_memory(i % 3 == 0 ? 0 : 1, failing_threads::caller,
                                       failing_times::from_there_on);
    if (jobs.push(all[i])) {
      accepted.push_back(&all[i]);
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0u);
  for (const numbered_job* each : accepted) {
    ASSERT_EQ(jobs.try_pop(), each);
  }
  EXPECT_EQ(jobs.try_pop(), nullptr);
}

// Each exactly once, and those of one thread in their order, while threads come and go.
TEST(Inbox, LosesAndDoublesNothing) {
  inbox jobs;
  const long each_puts = rounds(1'000'000, 2'000) / 4;
  std::vector<std::vector<numbered_job>> all(4);
  for (auto& mine : all) {
    mine.resize(static_cast<std::size_t>(each_puts));
  }
  std::atomic<long> taken{0};
  std::vector<std::jthread> threads;
  for (auto& mine : all) {
    threads.emplace_back([&jobs, &mine] {
      for (std::size_t i = 0; i != mine.size(); ++i) {
        mine[i].number = static_cast<long>(i);
        while (!jobs.push(mine[i])) {
        }
      }
    });
  }
  for (int t = 0; t != 2; ++t) {
    threads.emplace_back([&] {
      while (taken.load() != 4 * each_puts) {
        if (job* const found = jobs.try_pop()) {
          ++static_cast<numbered_job*>(found)->seen;
          ++taken;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  threads.clear();
  for (const auto& mine : all) {
    for (const numbered_job& each : mine) {
      ASSERT_EQ(each.seen, 1);
    }
  }
}

}  // namespace
}  // namespace coppice::detail
