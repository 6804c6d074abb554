#include <coppice/coppice.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <utility>
#include <vector>

namespace coppice {
namespace {

// How often each leaf's frame has gone.
class leaves {
 public:
  explicit leaves(std::size_t count) : gone_(count) {}

  class mark {
   public:
    explicit mark(std::atomic<int>& gone) noexcept : gone_(gone) {}
    mark(const mark&) = delete;
    mark& operator=(const mark&) = delete;
    ~mark() { gone_.fetch_add(1, std::memory_order_relaxed); }

   private:
    std::atomic<int>& gone_;
  };

  task<> lie_down(std::size_t which) {
    const mark here(gone_[which]);
    asleep_.fetch_add(1, std::memory_order_relaxed);
    co_await sleep_for(forever);
  }

  std::size_t count() const noexcept { return gone_.size(); }
  bool all_asleep() const noexcept { return asleep_.load(std::memory_order_relaxed) == count(); }

  std::size_t gone() const noexcept {
    std::size_t count = 0;
    for (const std::atomic<int>& each : gone_) {
      count += each.load(std::memory_order_relaxed) != 0 ? 1 : 0;
    }
    return count;
  }

  bool all_gone_once() const noexcept {
    bool once = true;
    for (const std::atomic<int>& each : gone_) {
      once = once && each.load(std::memory_order_relaxed) == 1;
    }
    return once;
  }

 private:
  std::vector<std::atomic<int>> gone_;
  std::atomic<std::size_t> asleep_{0};
};

class FanOut : public testing::TestWithParam<unsigned> {
 protected:
  runtime on_{options{.threads = GetParam()}};
};

task<> cancel_all(leaves& all) {
  const auto body = [&](task_group& group) -> task<> {
    for (std::size_t i = 0; i != all.count(); ++i) {
      group.spawn(all.lie_down(i));
    }
    while (!all.all_asleep()) {
      co_await yield();
    }
    group.cancel();
  };
  co_await with_group(body);
}

TEST_P(FanOut, StopsEachOfManyOnce) {
  leaves all(20'000);
  on_.block_on(cancel_all(all));
  EXPECT_TRUE(all.all_gone_once());
}

// Who joins a walk may come when its scope has been closed, and the next has taken its memory.
TEST_P(FanOut, MayBeFollowedByAnotherAtOnce) {
  for (int round = 0; round != 30; ++round) {
    leaves all(round % 2 == 0 ? 3'000 : 700);
    on_.block_on(cancel_all(all));
    ASSERT_TRUE(all.all_gone_once());
  }
}

// Of two groups whose tasks sleep in turns on the same workers, one is cancelled.
TEST_P(FanOut, LeavesOthersAlone) {
  constexpr std::size_t many = 3'000;
  leaves cancelled(many);
  leaves others(many);
  const auto main = [&]() -> task<> {
    const auto outer = [&](task_group& kept) -> task<> {
      const auto inner = [&](task_group& group) -> task<> {
        for (std::size_t i = 0; i != many; ++i) {
          group.spawn(cancelled.lie_down(i));
          kept.spawn(others.lie_down(i));
        }
        while (!cancelled.all_asleep() || !others.all_asleep()) {
          co_await yield();
        }
        group.cancel();
      };
      co_await with_group(inner);
      EXPECT_EQ(kept.size(), many);
      EXPECT_TRUE(cancelled.all_gone_once());
      kept.cancel();
    };
    co_await with_group(outer);
  };
  on_.block_on(main);
  EXPECT_TRUE(others.all_gone_once());
}

// A stop that goes on past a catch point: what runs then may wait for what the walk has still to come to.
task<> sleep_and_wait(leaves& all, std::size_t which, std::atomic<std::size_t>& caught) {
  auto sleeping = all.lie_down(which);
  const auto end = co_await as_result(std::move(sleeping));
  EXPECT_TRUE(end.cancelled());
  caught.fetch_add(1, std::memory_order_relaxed);
}

TEST_P(FanOut, LetsThoseGoOnThatCatchTheStop) {
  leaves all(2'500);
  std::atomic<std::size_t> caught{0};
  const auto main = [&]() -> task<> {
    const auto body = [&](task_group& group) -> task<> {
      for (std::size_t i = 0; i != all.count(); ++i) {
        group.spawn(sleep_and_wait(all, i, caught));
      }
      while (!all.all_asleep()) {
        co_await yield();
      }
      group.cancel();
    };
    co_await with_group(body);
  };
  on_.block_on(main);
  EXPECT_TRUE(all.all_gone_once());
  EXPECT_EQ(caught.load(std::memory_order_relaxed), all.count());
}

TEST_P(FanOut, ReachesAllThatStandBelowManyGroups) {
  leaves all(4'000);
  const auto main = [&]() -> task<> {
    const auto below = [&](std::size_t first) -> task<> {
      const auto body = [&](task_group& group) -> task<> {
        for (std::size_t i = first; i != first + 4; ++i) {
          group.spawn(all.lie_down(i));
        }
        co_return;
      };
      co_await with_group(body);
    };
    const auto body = [&](task_group& group) -> task<> {
      for (std::size_t i = 0; i != all.count(); i += 4) {
        group.spawn(below(i));
      }
      while (!all.all_asleep()) {
        co_await yield();
      }
      group.cancel();
    };
    co_await with_group(body);
  };
  on_.block_on(main);
  EXPECT_TRUE(all.all_gone_once());
}

// What a task holds is let go before any of them is told of its end.
TEST(FanOutOnOneWorker, LetsAllFramesGoBeforeItTellsTheTasks) {
  leaves all(1'500);
  runtime on({.threads = 1});
  std::size_t told = 0;
  const auto main = [&]() -> task<> {
    const auto body = [&](task_group& group) -> task<> {
      for (std::size_t i = 0; i != all.count(); ++i) {
        group.spawn(all.lie_down(i)).on_done([&] { told += all.all_gone_once() ? 1 : 0; });
      }
      while (!all.all_asleep()) {
        co_await yield();
      }
      group.cancel();
    };
    co_await with_group(body);
  };
  on.block_on(main);
  EXPECT_EQ(told, all.count());
}

// A walk that a shield keeps from a group finds one there that was cancelled by itself. The others are none of its business.
TEST_P(FanOut, TakesNoneWithOneThatWasCancelledByItself) {
  leaves all(600);
  const auto main = [&]() -> task<> {
    const auto outer = [&](task_group& above) -> task<> {
      const auto inner = [&](task_group& group) -> task<> {
        std::vector<task_handle<>> handles;
        for (std::size_t i = 0; i != all.count(); ++i) {
          handles.push_back(group.spawn(all.lie_down(i)));
        }
        while (!all.all_asleep()) {
          co_await yield();
        }
        above.cancel();
        handles[10].cancel();
        handles[300].cancel();
        co_await as_result(handles[10]);
        co_await as_result(handles[300]);
        for (int i = 0; i != 100; ++i) {
          co_await yield();
        }
        EXPECT_EQ(all.gone(), 2u);
        group.cancel();
      };
      co_await shield(with_group(inner));
    };
    co_await with_group(outer);
  };
  on_.block_on(main);
  EXPECT_TRUE(all.all_gone_once());
}

// ---- What one task gathers ----------------------------------------------------------------------

task<> gather_all(leaves& all, std::size_t first, std::size_t count) {
  co_await gather_n(count, [&all, first](std::size_t i) { return all.lie_down(first + i); });
}

// Cancelled by its group when all lie down.
task<> cancel_task(leaves& all, task<> gathering) {
  const auto body = [&](task_group& group) -> task<> {
    group.spawn(std::move(gathering));
    while (!all.all_asleep()) {
      co_await yield();
    }
    group.cancel();
  };
  co_await with_group(body);
}

TEST_P(FanOut, StopsEachOfManyThatAreGatheredOnce) {
  leaves all(20'000);
  on_.block_on(cancel_task(all, gather_all(all, 0, all.count())));
  EXPECT_TRUE(all.all_gone_once());
}

// Each gather is told of some before the one around it.
TEST_P(FanOut, StopsGathersBesideOneAnother) {
  leaves all(6'000);
  const auto each = [&](std::size_t i) { return gather_all(all, 3 * i, 3); };
  const auto gathering = [&]() -> task<> { co_await gather_n(all.count() / 3, each); };
  on_.block_on(cancel_task(all, gathering()));
  EXPECT_TRUE(all.all_gone_once());
}

task<> gather_below(leaves& all, std::size_t which) {
  if (which + 1 == all.count()) {
    co_await all.lie_down(which);
  } else {
    co_await gather(all.lie_down(which), gather_below(all, which + 1));
  }
}

TEST_P(FanOut, StopsGathersInOneAnother) {
  leaves all(2'000);
  on_.block_on(cancel_task(all, gather_below(all, 0)));
  EXPECT_TRUE(all.all_gone_once());
}

// Half of the children go on behind their stop, and wait for what was gathered elsewhere to be gone.
TEST_P(FanOut, TellsAGatherBeforeWhatGoesOnWaitsForIt) {
  leaves all(3'000);
  std::atomic<std::size_t> caught{0};
  const auto half = all.count() / 2;
  const auto main = [&]() -> task<> {
    const auto body = [&](task_group& group) -> task<> {
      const task_handle<> other = group.spawn(gather_all(all, 0, half));
      const auto wait_for_other = [&](std::size_t i) -> task<> {
        auto sleeping = all.lie_down(half + i);
        co_await as_result(std::move(sleeping));
        const auto rest = [&]() -> task<> { co_await as_result(other); };
        co_await shield(rest);
        caught.fetch_add(1, std::memory_order_relaxed);
      };
      const auto gathering = [&]() -> task<> { co_await gather_n(half, wait_for_other); };
      group.spawn(gathering());
      while (!all.all_asleep()) {
        co_await yield();
      }
      group.cancel();
      while (caught.load(std::memory_order_relaxed) != half) {
        const auto rest = []() -> task<> { co_await yield(); };
        co_await shield(rest);
      }
    };
    co_await with_group(body);
  };
  on_.block_on(main);
  EXPECT_TRUE(all.all_gone_once());
}

// Those that are stopped cannot end the gather before the one that fails.
TEST_P(FanOut, ThrowsTheFailureThatStopsWhatIsGathered) {
  leaves all(3'000);
  const auto main = [&]() -> task<> {
    const auto child = [&](std::size_t i) -> task<> {
      if (i != all.count()) {
        co_await all.lie_down(i);
      }
      while (!all.all_asleep()) {
        co_await yield();
      }
      throw std::runtime_error("the last");
    };
    co_await gather_n(all.count() + 1, child);
  };
  EXPECT_THROW(on_.block_on(main), std::runtime_error);
  EXPECT_TRUE(all.all_gone_once());
}

// ---- Why ----------------------------------------------------------------------------------------

// Most of those stopped were never asked by themselves, and the group that knows why is gone.
TEST_P(FanOut, TellsWhyATaskWasCancelledWhenItsGroupIsGone) {
  leaves all(700);
  const auto main = [&]() -> task<> {
    std::vector<task_handle<>> handles;
    const auto body = [&](task_group& group) -> task<> {
      for (std::size_t i = 0; i != all.count(); ++i) {
        handles.push_back(group.spawn(all.lie_down(i)));
      }
      while (!all.all_asleep()) {
        co_await yield();
      }
      group.cancel("no more");
    };
    co_await with_group(body);
    for (const task_handle<>& each : handles) {
      const std::vector<task_handle<>> one(1, each);
      try {
        co_await wait_or_abort(one);
        ADD_FAILURE() << "a task that was cancelled is no failure";
      } catch (const task_cancelled& cancelled) {
        EXPECT_EQ(cancelled.reason().message(), "no more");
      }
    }
  };
  on_.block_on(main);
}

// Not every scope between is told; each can tell.
task<> ask_below(std::vector<cancel_reason>& seen, std::size_t depth) {
  if (depth == 0) {
    while (!cancel_requested()) {
      co_await shield([]() -> task<> { co_await yield(); });
    }
    co_return;
  }
  const auto body = [&](cancel_scope& scope) -> task<> {
    co_await ask_below(seen, depth - 1);
    EXPECT_TRUE(scope.cancelled());
    seen.push_back(scope.reason());
  };
  co_await with_scope(body);
}

TEST_P(FanOut, TellsEachScopeBelowWhyItIsToStop) {
  constexpr std::size_t depth = 200;
  std::vector<cancel_reason> seen;
  const auto main = [&]() -> task<> {
    const auto body = [&](task_group& group) -> task<> {
      group.spawn(ask_below(seen, depth));
      co_await yield();
      group.cancel("from above");
    };
    co_await with_group(body);
  };
  on_.block_on(main);
  ASSERT_EQ(seen.size(), depth);
  for (const cancel_reason& each : seen) {
    EXPECT_EQ(each.message(), "from above");
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, FanOut, testing::Values(1u, 2u, 4u));

}  // namespace
}  // namespace coppice
