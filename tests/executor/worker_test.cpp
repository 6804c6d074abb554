// What nobody must wait for too long, counted in jobs and forks and never in time.
#include "executor/worker.h"

#include <coppice/detail/fork_join.h>
#include <coppice/sleep.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "executor/executor_state.h"
#include "tests/support/bare_wait.h"
#include "tests/support/load.h"
#include "tests/support/stub_event.h"
#include "tests/support/stub_node.h"

namespace coppice::detail {
namespace {

using testing_support::bare_wait;
using testing_support::rounds;
using testing_support::stub_event;
using testing_support::stub_node;
using testing_support::stub_task;

constexpr int jobs_between_foreign_ones = 61;

// Queues itself again in one of the ways there are until what it is to be patient for has happened. Counts
// how often it ran.
class hog final : public job {
 public:
  using way = void (*)(hog&, worker_core&);

  explicit hog(way how) : how_(how) {
    run = [](job& self, worker_core& here) noexcept {
      auto& mine = static_cast<hog&>(self);
      if (mine.runs_++ == 0) {
        mine.first(here);
      }
      if (!mine.enough() && mine.runs_ < 1'000'000) {
        mine.how_(mine, here);
      }
    };
  }

  static void push(hog& mine, worker_core& here) { here.push(mine); }
  static void post(hog& mine, worker_core& here) { here.post(mine); }
  static void post_next(hog& mine, worker_core& here) { here.post_next(mine); }
  static void post_from_outside(hog& mine, worker_core& here) { here.home.post(mine); }

  int runs() const noexcept { return runs_; }

  std::function<void(worker_core&)> first = [](worker_core&) {
  };  // On the worker, with its first run.
  std::function<bool()> enough = [] { return false; };

 private:
  const way how_;
  int runs_ = 0;
};

// Beside each kind of hog, on one worker.
class WorkerBesideAHog : public testing::TestWithParam<hog::way> {
 protected:
  // How often the hog runs until the wait is over.
  int runs_until(bare_wait& other, const std::function<void(worker_core&)>& first) {
    hog greedy(GetParam());
    greedy.first = first;
    greedy.enough = [&] { return other.done.load(); };
    {
      executor on({.threads = 1});
      on.post(greedy);
      other.await_done();
    }
    return greedy.runs();
  }

  bare_wait other_;
};

INSTANTIATE_TEST_SUITE_P(Ways, WorkerBesideAHog,
                         testing::Values(&hog::push, &hog::post, &hog::post_next,
                                         &hog::post_from_outside));

TEST_P(WorkerBesideAHog, ServesASubmission) {
  const int runs = runs_until(other_, [&](worker_core& here) { here.home.submit(other_); });
  EXPECT_LE(runs, 2 * jobs_between_foreign_ones);
}

TEST_P(WorkerBesideAHog, ServesAWakeFromOutside) {
  const int runs = runs_until(other_, [&](worker_core& here) { here.home.post(other_); });
  EXPECT_LE(runs, 2 * jobs_between_foreign_ones);
}

TEST_P(WorkerBesideAHog, ServesATimerThatIsDue) {
  const int runs =
      runs_until(other_, [&](worker_core& here) { other_.wait_until(here.time_now(), here); });
  EXPECT_LE(runs, 2 * jobs_between_foreign_ones);
}

TEST_P(WorkerBesideAHog, ServesATaskThatGaveWay) {
  const int runs = runs_until(other_, [&](worker_core& here) { here.post(other_); });
  EXPECT_LE(runs, 2 * jobs_between_foreign_ones);
}

// ---- Forks: they go from leaf to leaf, and never come back to the loop ------------------------------

class WorkerInsideForks : public testing::TestWithParam<unsigned> {
 protected:
  static task<> leaf() { co_return; }

  // Forks until the wait is over, and counts the forks.
  static task<long> fork_until(bare_wait& other, std::function<void(worker_core&)> first) {
    long forks = 0;
    first(*this_worker());
    while (!other.done && forks != 100'000'000) {
      co_await fork_join(leaf(), leaf());
      ++forks;
    }
    co_return forks;
  }

  static task<long> fork_each_until(bare_wait& other, std::function<void(worker_core&)> first) {
    long forks = 0;
    first(*this_worker());
    const auto child = [](std::size_t) { return leaf(); };
    while (!other.done && forks != 100'000'000) {
      co_await fork_join_n(2, child);
      ++forks;
    }
    co_return forks;
  }

  using program = task<long> (*)(bare_wait&, std::function<void(worker_core&)>);

  // Every worker is inside forks, and one of them begins the wait.
  static void expect_served(program forking, const std::function<void(worker_core&)>& begin,
                            bare_wait& other) {
    executor on({.threads = GetParam()});
    for (unsigned i = 1; i != GetParam(); ++i) {
      on.spawn([&] { return forking(other, [](worker_core&) {}); });
    }
    const long forks = on.block_on([&] { return forking(other, begin); });
    EXPECT_TRUE(other.done);
    if (GetParam() == 1) {
      EXPECT_LE(forks, 3 * long{forks_between_looks});
    }
    EXPECT_TRUE(on.wait_until_idle());
  }

  bare_wait other_;
};

INSTANTIATE_TEST_SUITE_P(Workers, WorkerInsideForks, testing::Values(1u, 2u, 4u));

TEST_P(WorkerInsideForks, ServesASubmission) {
  for (const program forking : {&fork_until, &fork_each_until}) {
    bare_wait other;
    expect_served(forking, [&](worker_core& here) { here.home.submit(other); }, other);
  }
}

TEST_P(WorkerInsideForks, ServesAWakeFromOutside) {
  for (const program forking : {&fork_until, &fork_each_until}) {
    bare_wait other;
    expect_served(forking, [&](worker_core& here) { here.home.post(other); }, other);
  }
}

TEST_P(WorkerInsideForks, ServesATimerThatIsDue) {
  for (const program forking : {&fork_until, &fork_each_until}) {
    bare_wait other;
    expect_served(
        forking, [&](worker_core& here) { other.wait_until(here.time_now(), here); }, other);
  }
}

// ---- What a worker that is too busy to come to it must leave to others ------------------------------

// A plain function that does not return before the wait is over.
class WorkerThatDoesNotReturn : public testing::Test {
 protected:
  void expect_served_by_other(const std::function<void(worker_core&, bare_wait&)>& begin) {
    executor on({.threads = 2});
    bare_wait other;
    worker_core* busy = nullptr;
    on.block_on([&] {
      busy = this_worker();
      begin(*busy, other);
      other.await_done();
    });
    EXPECT_NE(other.ran_on, busy);
  }
};

TEST_F(WorkerThatDoesNotReturn, LeavesPushedJobsToOthers) {
  expect_served_by_other([](worker_core& here, bare_wait& other) { here.push(other); });
}

TEST_F(WorkerThatDoesNotReturn, LeavesPostedJobsToOthers) {
  expect_served_by_other([](worker_core& here, bare_wait& other) { here.post(other); });
}

TEST_F(WorkerThatDoesNotReturn, LeavesWhatIsUpNextToOthers) {
  expect_served_by_other([](worker_core& here, bare_wait& other) { here.post_next(other); });
}

TEST_F(WorkerThatDoesNotReturn, LeavesItsTimersToOthers) {
  expect_served_by_other([](worker_core& here, bare_wait& other) {
    other.wait_until(here.time_now() + std::chrono::milliseconds(1), here);
  });
}

TEST_F(WorkerThatDoesNotReturn, LeavesTheInboxToOthers) {
  expect_served_by_other([](worker_core& here, bare_wait& other) { here.home.submit(other); });
}

// ---- Its life ---------------------------------------------------------------------------------------

TEST(Worker, RunsEverythingThatIsQueuedBeforeItEnds) {
  struct counted final : job {
    explicit counted(std::atomic<int>& of) : count(of) {
      run = [](job& self, worker_core&) noexcept { ++static_cast<counted&>(self).count; };
    }
    std::atomic<int>& count;
  };
  std::atomic<int> ran{0};
  std::vector<std::unique_ptr<counted>> jobs;
  for (int i = 0; i != 1'000; ++i) {
    jobs.push_back(std::make_unique<counted>(ran));
  }
  {
    executor on({.threads = 2});
    for (const auto& each : jobs) {
      on.post(*each);
    }
  }
  EXPECT_EQ(ran, 1'000);
}

// A cancel, say: who computes in slices must not be a slice ahead of it.
TEST(Worker, RunsWhatCameFromElsewhereBeforeATaskThatYieldsBehindIt) {
  bare_wait woken;
  executor on({.threads = 1});
  woken.begin_on(*on.state().core);
  on.block_on([&]() -> task<> {
    on.state().core->post(woken);
    EXPECT_FALSE(woken.done);
    co_await yield();
    EXPECT_TRUE(woken.done);
  });
}

// A scope of the last task may be gone when the next job runs.
TEST(Worker, AJobStandsUnderNoScopeUnlessItEntersOne) {
  executor on({.threads = 1});
  stub_node node(on);
  class look final : public bare_wait {
   public:
    look() {
      run = [](job& self, worker_core& here) noexcept {
        static_cast<look&>(self).seen = here.scope;
        static_cast<look&>(self).note(here);
      };
    }
    cancel_node* seen = nullptr;
  } bare;
  const auto body = [&]() -> task<> {
    EXPECT_EQ(this_worker()->scope, &node);
    this_worker()->post(bare);
    co_return;
  };
  stub_task<> under(on, node, body());
  bare.await_done();
  EXPECT_EQ(bare.seen, nullptr);
}

TEST(Worker, CountsWhatItDoes) {
  executor on({.threads = 1, .yield_budget = 2});
  stub_event always;
  (void)always.set();
  const auto body = [&]() -> task<> {
    for (int i = 0; i != 10; ++i) {
      co_await always.wait();
    }
  };
  on.block_on(body);
  const worker_counters& counters = on.state().core->workers[0]->counters();
  EXPECT_GE(counters.resumes.load(), 5u);
  EXPECT_GE(counters.forced_yields.load(), 4u);
  EXPECT_EQ(counters.steals.load(), 0u);
}

TEST(Worker, ForgetsATimerThatIsDoneAndTellsTheEarliest) {
  executor on({.threads = 1});
  bare_wait first;
  bare_wait second;
  on.block_on([&] {
    auto& here = static_cast<worker&>(*this_worker());
    EXPECT_EQ(here.earliest_timer(), time_point::max());
    const time_point due = here.time_now() + std::chrono::milliseconds(1);
    second.wait_until(due + std::chrono::milliseconds(1), here);
    first.wait_until(due, here);
    EXPECT_EQ(here.earliest_timer(), due);
    EXPECT_EQ(here.open_timers(), 2u);
    EXPECT_FALSE(here.fire_timers(here, due - duration(1)));  // Never early.
    EXPECT_EQ(here.open_timers(), 2u);
  });
  first.await_done();
  second.await_done();
  EXPECT_EQ(on.state().core->workers[0]->open_timers(), 0u);
}

// P1, end to end: the workers fall asleep between any two jobs, and each wakes one.
TEST(Worker, LosesNoWakeUp) {
  for (const unsigned threads : {1u, 2u, 4u}) {
    executor on({.threads = threads, .spin = duration::zero()});
    for (long i = 0; i != rounds(1'000'000, 2'000) / 4; ++i) {
      bare_wait job;
      if (i % 2 == 0) {
        on.state().core->post(job);
      } else {
        on.state().core->submit(job);
      }
      job.await_done();
    }
  }
}

}  // namespace
}  // namespace coppice::detail
