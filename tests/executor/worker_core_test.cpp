#include <coppice/detail/fork_join.h>
#include <coppice/detail/worker_core.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/stub_event.h"

namespace coppice::detail {
namespace {

using testing_support::stub_event;

// Notes that it ran.
struct note final : job {
  note(std::vector<int>& into, int which) : notes(into), name(which) {
    run = [](job& self, worker_core&) noexcept {
      static_cast<note&>(self).notes.push_back(static_cast<note&>(self).name);
    };
  }
  std::vector<int>& notes;
  int name;
};

class WorkerCore : public testing::Test {
 protected:
  // Runs the function on the one worker, and then what that has queued.
  void on_worker(const std::function<void(worker_core&)>& function) {
    executor on({.threads = 1});
    on.block_on([&] { function(*this_worker()); });
  }

  note& make(int name) { return *made_.emplace_back(std::make_unique<note>(notes_, name)); }

  std::vector<int> notes_;

 private:
  std::vector<std::unique_ptr<note>> made_;
};

TEST_F(WorkerCore, RunsPostedJobsInOrder) {
  on_worker([&](worker_core& here) {
    for (int i = 0; i != 5; ++i) {
      here.post(make(i));
    }
    EXPECT_TRUE(notes_.empty());
  });
  EXPECT_EQ(notes_, (std::vector{0, 1, 2, 3, 4}));
}

TEST_F(WorkerCore, RunsPushedJobsNewestFirst) {
  on_worker([&](worker_core& here) {
    for (int i = 0; i != 5; ++i) {
      here.push(make(i));
    }
  });
  EXPECT_EQ(notes_, (std::vector{4, 3, 2, 1, 0}));
}

TEST_F(WorkerCore, RunsWhatIsUpNextFirst) {
  on_worker([&](worker_core& here) {
    here.post(make(1));
    here.push(make(2));
    here.post_next(make(3));
  });
  EXPECT_EQ(notes_, (std::vector{3, 2, 1}));
}

TEST_F(WorkerCore, WhatIsDisplacedFromNextGoesToTheEnd) {
  on_worker([&](worker_core& here) {
    here.post(make(1));
    here.post_next(make(2));
    here.post_next(make(3));
  });
  EXPECT_EQ(notes_, (std::vector{3, 1, 2}));
}

TEST_F(WorkerCore, KeepsItsSlotsApartAndUsesThemAgain) {
  on_worker([](worker_core& here) {
    std::vector<slot*> taken;
    for (int i = 0; i != 600; ++i) {
      taken.push_back(&here.take_slot());
    }
    EXPECT_EQ(std::set(taken.begin(), taken.end()).size(), taken.size());
    for (slot* each : taken) {
      here.give_slot(*each);
    }
    EXPECT_EQ(&here.take_slot(), taken.back());
    here.give_slot(*taken.back());
  });
}

TEST_F(WorkerCore, IsKnownToTheCodeThatItRuns) {
  EXPECT_EQ(this_worker(), nullptr);
  EXPECT_EQ(current_worker, nullptr);
  on_worker([](worker_core& here) { EXPECT_EQ(current_worker, &here); });
}

TEST_F(WorkerCore, SeesTheEpochOfItsExecutor) {
  on_worker([](worker_core& here) {
    const epoch before = here.now();
    here.home.bump_epoch();
    EXPECT_EQ(here.now(), before + epoch_step);
  });
}

// Suspends, and leaves it to the loop to go on.
struct through_the_loop : own_awaitable {
  bool await_ready() const noexcept { return false; }
  template <std::derived_from<promise_base> Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    return current_worker->resume_from_loop(self);
  }
  void await_resume() const noexcept {}
};

TEST_F(WorkerCore, SettlesWhatWasLeftToTheLoop) {
  executor on({.threads = 1});
  int resumed = 0;
  const auto body = [&]() -> task<> {
    for (; resumed != 1'000; ++resumed) {
      co_await through_the_loop();
    }
  };
  on.block_on(body);
  EXPECT_EQ(resumed, 1'000);
}

task<long> tree(int depth) {
  if (depth == 0) {
    co_await yield();
    co_return 1;
  }
  auto [a, b] = co_await fork_join(tree(depth - 1), tree(depth - 1));
  std::array<long, 2> more{};
  const auto child = [depth](std::size_t) { return tree(depth - 1); };
  co_await fork_join_n(more.size(), child, more.begin());
  co_return a + b + more[0] + more[1];
}

task<int> chain(int depth) {
  if (depth == 0) {
    co_return 0;
  }
  co_return 1 + co_await chain(depth - 1);
}

// As it is when the stack is nearly full, all the time.
TEST_F(WorkerCore, AnyTransferMayGoThroughTheLoop) {
  for (const unsigned threads : {1u, 2u}) {
    executor on({.threads = threads});
    const auto body = []() -> task<> {
      const std::uintptr_t limit = std::exchange(this_worker()->stack_limit, UINTPTR_MAX);
      EXPECT_FALSE(this_worker()->stack_left());
      EXPECT_EQ(co_await chain(1'000), 1'000);
      EXPECT_EQ(co_await tree(4), 256);
      static_cast<void>(limit);
    };
    on.block_on(body);
  }
}

// Else a task whose awaits are always ready would keep its worker for ever.
TEST_F(WorkerCore, ReadyAwaitsGiveWayNowAndThen) {
  executor on({.threads = 1, .yield_budget = 10});
  stub_event always;
  (void)always.set();
  int awaits = 0;
  int awaits_when_other_ran = 0;
  const auto body = [&]() -> task<> {
    auto other = spawn([&] { awaits_when_other_ran = awaits; });
    for (; awaits != 100; ++awaits) {
      co_await always.wait();
    }
    co_await other;
  };
  on.block_on(body);
  EXPECT_GT(awaits_when_other_ran, 0);
  EXPECT_LE(awaits_when_other_ran, 10);
}

}  // namespace
}  // namespace coppice::detail
