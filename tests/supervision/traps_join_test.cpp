// The traps of forks and joins, each with the rule that keeps out of it.
#include <coppice/awaiter.h>
#include <coppice/detail/scope_core.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/open_nodes.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::open_wait;

constexpr unsigned worker_counts[] = {1, 2, 4};

task<> sleeping_for_ever() {
  co_await sleep_for(forever);
}

task<long> leaves(int depth) {
  if (depth == 0) {
    co_return 1;
  }
  const auto [one, other] = co_await gather(leaves(depth - 1), leaves(depth - 1));
  co_return one + other;
}

struct counts_its_end {
  explicit counts_its_end(std::atomic<int>& of) : of_(of) {}
  counts_its_end(const counts_its_end&) = delete;
  ~counts_its_end() { of_.fetch_add(1); }
  std::atomic<int>& of_;
};

// Rule: the bell in the fork path. All workers compute, in forks that end only when the last leaf has stopped.
TEST(Traps, AFanOutComesThroughThoughAllWorkersAreInForkJoin) {
  constexpr int sleepers = 1'000;
  for (const unsigned workers : worker_counts) {
    std::atomic<int> asleep{0};
    std::atomic<int> ended{0};
    std::atomic<unsigned> computing{0};
    scope_handle group;
    const auto sleeping = [&]() -> task<> {
      const counts_its_end note(ended);
      asleep.fetch_add(1);
      co_await sleep_for(forever);
    };
    const auto compute = [&]() -> task<> {
      computing.fetch_add(1);
      while (ended.load() != sleepers) {
        co_await leaves(10);
      }
    };
    runtime rt({.threads = workers});
    std::jthread canceller([&] {
      while (computing.load() != workers) {
        std::this_thread::yield();
      }
      group.cancel("from a plain thread");
    });
    rt.block_on([&]() -> task<> {
      const task_handle<> tree = spawn([&]() -> task<> {
        co_await with_group([&](task_group& g) -> task<> {
          for (int i = 0; i != sleepers; ++i) {
            g.spawn(sleeping);
          }
          while (asleep.load() != sleepers) {
            co_await yield();
          }
          group = g.handle();
          for (unsigned i = 0; i != workers; ++i) {
            spawn(compute);  // Of the root: nobody cancels them.
          }
        });
      });
      co_await tree;
      EXPECT_EQ(ended.load(), sleepers);
    });
  }
}

// Rule: the stopped bit. The last child to arrive ends with a value, an earlier one was stopped: the parent has no value
// to go on with.
TEST(Traps, AJoinRemembersAnEarlierChildThatStopped) {
  for (const unsigned workers : worker_counts) {
    std::atomic<int> went_on{0};
    test_runtime rt({.workers = workers});
    rt.block_on([&]() -> task<> {
      const auto resisting = []() -> task<int> {
        co_return co_await shield([]() -> task<int> {
          co_await sleep_for(2s);
          co_return 7;
        });
      };
      const auto stopping = []() -> task<int> {
        co_await sleep_for(forever);
        co_return 1;
      };
      const auto pair = [&]() -> task<> {
        static_cast<void>(co_await gather(stopping(), resisting()));
        went_on.fetch_add(1);
      };
      const auto swapped = [&]() -> task<> {
        static_cast<void>(co_await gather(resisting(), stopping()));
        went_on.fetch_add(1);
      };
      const auto many = [&]() -> task<> {
        const auto nth = [&](std::size_t i) -> task<int> {
          return i == 1 ? stopping() : resisting();
        };
        static_cast<void>(co_await gather_n(3, nth));
        went_on.fetch_add(1);
      };
      for (const task_handle<>& host : {spawn(pair), spawn(swapped), spawn(many)}) {
        co_await sleep_for(1s);
        host.cancel();
        while (!host.done()) {
          co_await sleep_for(1s);
        }
        EXPECT_EQ(host.status(), task_status::cancelled);
      }
    });
    EXPECT_EQ(went_on.load(), 0);
  }
}

// Rule: the kind and the scope of what is popped are compared. Each child but the first makes its predecessor ready, which
// is then the newest in the queue when that child ends.
TEST(Traps, AResumedSiblingIsNotTakenForOneThatHasNotBegun) {
  constexpr std::size_t count = 50;
  for (const unsigned workers : worker_counts) {
    runtime rt({.threads = workers});
    for (int round = 0; round != 20; ++round) {
      std::vector<std::atomic<int>> ends(count);
      std::vector<completion<int>> waiting(count);
      std::vector<std::atomic<bool>> begun(count);
      const auto child = [&](std::size_t i) -> task<int> {
        if (i != 0) {
          while (!begun[i - 1].load()) {
            co_await yield();
          }
          EXPECT_TRUE(waiting[i - 1].complete(static_cast<int>(i) - 1));
        }
        int got = static_cast<int>(i);
        if (i + 1 != count) {
          const auto start = [&, i](completion<int> done) {
            waiting[i] = std::move(done);
            begun[i].store(true);
          };
          got = co_await perform<int>(start);
        }
        ends[i].fetch_add(1);
        co_return got;
      };
      rt.block_on([&]() -> task<> {
        const std::vector<int> results = co_await gather_n(count, child);
        for (std::size_t i = 0; i != count; ++i) {
          EXPECT_EQ(results[i], static_cast<int>(i));
          EXPECT_EQ(ends[i].load(), 1);
        }
      });
    }
  }
}

// The same of jobs that are no siblings: a child leaves spawned tasks in the queue above its fork.
TEST(Traps, ASpawnedTaskIsNotTakenForASibling) {
  for (const unsigned workers : worker_counts) {
    std::atomic<int> ran{0};
    runtime rt({.threads = workers});
    rt.block_on([&]() -> task<> {
      const auto child = [&](std::size_t) -> task<int> {
        for (int i = 0; i != 3; ++i) {
          spawn([&ran] { ran.fetch_add(1); });
        }
        const auto [one, other] = co_await gather(leaves(1), leaves(1));
        co_return static_cast<int>(one + other);
      };
      EXPECT_EQ(co_await gather_n(100, child), std::vector<int>(100, 4));
      while (ran.load() != 300) {
        co_await yield();
      }
    });
    EXPECT_EQ(ran.load(), 300);
  }
}

class noted_end final : public detail::scope_joiner {
 public:
  noted_end() {
    run = [](detail::job& self, detail::worker_core&) noexcept {
      ++static_cast<noted_end&>(static_cast<detail::scope_joiner&>(self)).ends;
    };
  }
  int ends = 0;
};

// Rule: one test of the whole count. A fan-out that walks in a scope is counted there, and the body that comes to its end
// meanwhile sees that.
TEST(Traps, TheJoinsFastPathSeesAWalkThatIsUnderWay) {
  noted_end end;
  open_wait wait;
  runtime rt({.threads = 1});
  rt.block_on([&]() -> task<> {
    detail::worker_core& here = *detail::this_worker();
    const detail::core_ref core(new detail::strand_scope("core", {}, here));
    core->join_by(end);
    EXPECT_TRUE(wait.begin_below(core->node(), here));
    bool alone = true;
    wait.when_stopped = [&] {
      wait.end(*detail::this_worker());
      alone = core->leave_last();  // As the body does that the walk has just let go.
    };
    core->cancel("walk");
    while (end.ends == 0) {
      co_await yield();
    }
    EXPECT_FALSE(alone);
    EXPECT_EQ(wait.stops, 1);
    core->close(*detail::this_worker());
  });
  EXPECT_EQ(end.ends, 1);
}

// Rule: the fan-out does not keep its scope from ending. On one worker it stands behind a task that is ready; the scope
// ends before either.
TEST(Traps, AScopeDoesNotWaitForItsOwnFanOut) {
  for (const bool of_group : {false, true}) {
    bool ran = false;
    test_runtime rt({.workers = 1, .shuffle = false});
    rt.block_on([&]() -> task<> {
      const task_handle<> ready = spawn([&ran] { ran = true; });
      if (of_group) {
        co_await with_group([](task_group& g) -> task<> {
          g.cancel();
          co_return;
        });
      } else {
        co_await with_scope([](cancel_scope& s) -> task<> {
          s.cancel();
          co_return;
        });
      }
      EXPECT_FALSE(ran) << "it went through the queue";
      co_await ready;
    });
  }
}

// The same of small timeouts beside a worker that is held.
TEST(Traps, TheFanOutOfASmallTimeoutDoesNotWaitForABusyWorker) {
  std::atomic<bool> held{false};
  std::atomic<bool> enough{false};
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    const task_handle<> hog = spawn([&] {
      held = true;
      while (!enough) {
        std::this_thread::yield();
      }
    });
    while (!held) {
      co_await yield();
    }
    for (int i = 0; i != 200; ++i) {
      EXPECT_FALSE(co_await move_on_after(1us, sleep_for(forever)));
      const auto in_a_group = []() -> task<> {
        co_await with_group([](task_group& g) -> task<> {
          g.spawn(sleeping_for_ever());
          co_return;
        });
      };
      static_cast<void>(co_await move_on_after(1us, in_a_group));
    }
    enough = true;
    co_await hog;
  });
}

}  // namespace
}  // namespace coppice
