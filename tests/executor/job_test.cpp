#include <coppice/detail/job.h>
#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include "executor/executor_state.h"

namespace coppice::detail {
namespace {

// What is put into queues before anything has been written to it, must cost nothing to make.
TEST(Job, IsTwoWordsThatNobodyClears) {
  EXPECT_EQ(sizeof(job), 2 * sizeof(void*));
  EXPECT_TRUE(std::is_trivial_v<job>);
}

// A job of a type of its own finds itself again by the base, whatever else it derives from.
struct before {
  int filler = 0;
};

struct noting_job : before, job {
  explicit noting_job(std::vector<int>& into, int which) : notes(into), name(which) {
    run = [](job& self, worker_core& here) noexcept {
      auto& mine = static_cast<noting_job&>(self);
      mine.worker = &here;
      mine.notes.push_back(mine.name);
    };
  }

  std::vector<int>& notes;
  int name;
  worker_core* worker = nullptr;
};

TEST(Job, RunsOnceOnTheWorkerThatItIsTold) {
  std::vector<int> notes;
  noting_job first(notes, 1);
  noting_job second(notes, 2);
  {
    executor on({.threads = 1});
    on.post(first);
    on.post(second);
  }  // Drains.
  std::sort(notes.begin(), notes.end());
  EXPECT_EQ(notes, (std::vector{1, 2}));
  EXPECT_NE(first.worker, nullptr);
  EXPECT_EQ(first.worker, second.worker);
}

// It may be gone, or queued anew, as soon as its function has begun.
TEST(Job, MayQueueItselfAgainWhileItRuns) {
  struct again final : job {
    explicit again(executor& home) : on(home) {
      run = [](job& self, worker_core&) noexcept {
        auto& mine = static_cast<again&>(self);
        if (++mine.times != 10) {
          mine.on.post(mine);
        }
      };
    }
    executor& on;
    int times = 0;
  };
  std::optional<executor> on(std::in_place, options{.threads = 2});
  again repeated(*on);
  on->post(repeated);
  on.reset();
  EXPECT_EQ(repeated.times, 10);
}

}  // namespace
}  // namespace coppice::detail
