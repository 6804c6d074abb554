#include "executor/executor_core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/bare_wait.h"
#include "tests/support/load.h"

namespace coppice::detail {
namespace {

using testing_support::bare_wait;
using testing_support::rounds;

struct note final : job {
  note() {
    run = [](job& self, worker_core&) noexcept {
      auto& mine = static_cast<note&>(self);
      ++mine.times;
      if (mine.notes != nullptr) {
        mine.notes->push_back(mine.name);
      }
    };
  }
  std::vector<int>* notes = nullptr;
  int name = 0;
  int times = 0;
};

// Jobs that one worker has not yet seen when the function returns.
std::vector<int> order_of(const std::function<void(executor_core&, note&)>& queue) {
  std::vector<int> notes;
  std::vector<note> jobs(50);
  {
    executor on({.threads = 1});
    on.block_on([&] {
      const std::jthread plain([&] {
        for (int i = 0; i != 50; ++i) {
          note& each = jobs[static_cast<std::size_t>(i)];
          each.notes = &notes;
          each.name = i;
          queue(*on.state().core, each);
        }
      });
    });
  }  // Drains.
  return notes;
}

TEST(ExecutorCore, RunsWhatPlainThreadsPostInOrder) {
  const std::vector<int> notes = order_of([](executor_core& core, note& each) { core.post(each); });
  EXPECT_EQ(notes.size(), 50u);
  EXPECT_TRUE(std::is_sorted(notes.begin(), notes.end()));
}

TEST(ExecutorCore, RunsWhatPlainThreadsSubmitInOrder) {
  const std::vector<int> notes =
      order_of([](executor_core& core, note& each) { core.submit(each); });
  EXPECT_EQ(notes.size(), 50u);
  EXPECT_TRUE(std::is_sorted(notes.begin(), notes.end()));
}

TEST(ExecutorCore, ShowsWhatIsInItsInbox) {
  executor on({.threads = 1});
  bare_wait posted;
  bare_wait submitted;
  on.block_on([&] {
    executor_core& core = *on.state().core;
    EXPECT_FALSE(core.wakes_in_sight());
    EXPECT_FALSE(core.submitted_in_sight());
    core.post(posted);
    EXPECT_TRUE(core.wakes_in_sight());
    core.submit(submitted);
    EXPECT_TRUE(core.submitted_in_sight());
    EXPECT_EQ(core.take_submitted(), static_cast<job*>(&submitted));
    EXPECT_FALSE(core.submitted_in_sight());
    EXPECT_EQ(core.take_submitted(), nullptr);
    EXPECT_EQ(core.take_wakes(), static_cast<job*>(&posted));
    EXPECT_EQ(core.take_wakes(), nullptr);
  });
  EXPECT_FALSE(posted.done);
}

TEST(ExecutorCore, RunsEachJobOnceHoweverManyThreadsQueueAndTakeThem) {
  constexpr std::size_t threads = 4;
  const auto each_thread = static_cast<std::size_t>(rounds(1'000'000, 5'000));
  std::vector<note> jobs(threads * each_thread);
  {
    executor on({.threads = 2});
    std::vector<std::jthread> producers;
    for (std::size_t t = 0; t != threads; ++t) {
      producers.emplace_back([&, t] {
        for (std::size_t i = 0; i != each_thread; ++i) {
          note& mine = jobs[t * each_thread + i];
          i % 2 == 0 ? on.state().core->post(mine) : on.state().core->submit(mine);
        }
      });
    }
  }
  EXPECT_TRUE(
      std::all_of(jobs.begin(), jobs.end(), [](const note& each) { return each.times == 1; }));
}

TEST(ExecutorCore, HasAnIdOfItsOwn) {
  executor first({.threads = 1});
  executor second({.threads = 1});
  EXPECT_NE(first.state().core->id, second.state().core->id);
}

// X3: the workers leave, from whatever sleep.
TEST(ExecutorCore, StopEndsAllWorkers) {
  for (long round = 0; round != rounds(10'000, 100); ++round) {
    executor on({.threads = 1 + static_cast<unsigned>(round % 4)});
    if (round % 3 == 0) {
      on.block_on([] {});
    }
  }
}

}  // namespace
}  // namespace coppice::detail
