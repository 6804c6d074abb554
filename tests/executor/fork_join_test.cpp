#include <coppice/detail/fork_join.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>

#include "tests/support/failing_new.h"
#include "tests/support/stub_event.h"
#include "tests/support/stub_node.h"

namespace coppice::detail {
namespace {

using testing_support::ending;
using testing_support::stub_event;
using testing_support::stub_node;
using testing_support::stub_task;

int global = 7;

struct alignas(64) wide {
  std::string text = {};
};

struct no_default {
  explicit no_default(int from) : value(from) {}
  int value;
};

struct throwing_move {
  throwing_move() = default;
  throwing_move(throwing_move&&) { throw std::runtime_error("move"); }
  std::string text = std::string(100, 'x');
};

task<int> give(int value) {
  co_return value;
}
task<int> give_late(int value) {
  co_await yield();
  co_await sleep_for(std::chrono::microseconds(50));
  co_return value;
}
task<std::string> text(std::string value) {
  co_return value;
}
task<int> wait_for(stub_event& event) {
  co_return co_await event.wait();
}

class ForkJoin : public testing::TestWithParam<unsigned> {
 protected:
  ~ForkJoin() override {
    EXPECT_TRUE(on_.wait_until_idle());
    EXPECT_EQ(node_.waiting(), 0);
  }

  executor on_{options{.threads = GetParam()}};
  stub_node node_{on_};
};

INSTANTIATE_TEST_SUITE_P(Workers, ForkJoin, testing::Values(1u, 2u, 4u));

TEST_P(ForkJoin, GivesTheResultsInOrderOfTheArguments) {
  const auto body = []() -> task<bool> {
    auto [a, b, c, d] = co_await fork_join(give(1), give_late(2), give(3), give_late(4));
    co_return a == 1 && b == 2 && c == 3 && d == 4;
  };
  EXPECT_TRUE(on_.block_on(body));
}

TEST_P(ForkJoin, OfNothingAndOfOneGiveWhatThereIs) {
  const auto body = []() -> task<int> {
    const std::tuple<> nothing = co_await fork_join();
    static_cast<void>(nothing);
    auto [late] = co_await fork_join(give_late(2));
    auto [one] = co_await fork_join(give(1));
    co_return one + late;
  };
  EXPECT_EQ(on_.block_on(body), 3);
}

TEST_P(ForkJoin, GivesResultsOfEveryKind) {
  const auto nothing = []() -> task<> { co_return; };
  const auto moved_only = []() -> task<std::unique_ptr<int>> {
    co_return std::make_unique<int>(7);
  };
  const auto reference = []() -> task<int&> { co_return global; };
  const auto not_made = []() -> task<no_default> { co_return no_default(7); };
  const auto aligned = []() -> task<wide> { co_return wide{"wide"}; };
  const auto body = [&]() -> task<> {
    auto [a, b, c, d, e, f] = co_await fork_join(nothing(), moved_only(), reference(), not_made(),
                                                 aligned(), text(std::string(100, 'x')));
    EXPECT_TRUE((std::is_same_v<decltype(a), std::monostate>));
    EXPECT_EQ(*b, 7);
    EXPECT_EQ(&c.get(), &global);
    EXPECT_EQ(d.value, 7);
    EXPECT_EQ(e.text, "wide");
    EXPECT_EQ(f.size(), 100u);
  };
  on_.block_on(body);
}

TEST_P(ForkJoin, AResultThatCannotBeMovedIsAFailureOfTheAwait) {
  const auto made = []() -> task<throwing_move> {
    struct maker {
      operator throwing_move() const { return {}; }
    };
    co_return maker();
  };
  const auto body = [&]() -> task<bool> {
    try {
      co_await fork_join(text("x"), made(), text("y"));
    } catch (const std::runtime_error&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(on_.block_on(body));
}

TEST_P(ForkJoin, ThrowsTheFailureOfAnyChildWhenAllThatHaveBegunHaveEnded) {
  struct leaving {
    std::atomic<int>& count;
    ~leaving() { ++count; }
  };
  for (int position = 0; position != 4; ++position) {
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    const auto child = [&begun, &ended, position](int i) -> task<int> {
      const leaving at_end{ended};
      ++begun;
      if (i % 2 == 1) {
        co_await yield();
      }
      if (i == position) {
        throw i;
      }
      co_return i;
    };
    const auto body = [&]() -> task<int> {
      try {
        co_await fork_join(child(0), child(1), child(2), child(3));
      } catch (int thrown) {
        co_return thrown;
      }
      co_return -1;
    };
    EXPECT_EQ(on_.block_on(body), position);
    EXPECT_EQ(ended, begun);
  }
}

TEST_P(ForkJoin, ReportsTheFailuresThatCameTooLate) {
  std::mutex mutex;
  std::vector<int> failed;
  std::vector<int> told;
  on_.set_error_handler([&](const error_report& report) {
    EXPECT_EQ(report.origin, error_origin::suppressed);
    const std::lock_guard lock(mutex);
    try {
      std::rethrow_exception(report.entry.error());
    } catch (int code) {
      told.push_back(code);
    }
  });
  const auto failing = [&](int code) -> task<int> {
    {
      const std::lock_guard lock(mutex);
      failed.push_back(code);
    }
    throw code;
    co_return 0;
  };
  const auto body = [&]() -> task<int> {
    try {
      co_await fork_join(failing(1), text("x"), failing(2), failing(3));
    } catch (int thrown) {
      co_return thrown;
    }
    co_return 0;
  };
  told.push_back(on_.block_on(body));
  std::sort(failed.begin(), failed.end());
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, failed);
}

TEST_P(ForkJoin, MayStandInsideAnother) {
  struct local {
    static task<long> fib(int n) {
      if (n < 2) {
        co_return n;
      }
      auto [a, b] = co_await fork_join(fib(n - 1), fib(n - 2));
      co_return a + b;
    }
  };
  EXPECT_EQ(on_.block_on(local::fib(20)), 6765);
}

TEST_P(ForkJoin, OfChildrenThatSuspendMayStandInsideAnother) {
  struct local {
    static task<long> tree(int n) {
      if (n == 0) {
        co_await yield();
        co_return 1;
      }
      auto [a, b, c] = co_await fork_join(tree(n - 1), tree(n - 1), tree(n - 1));
      co_return a + b + c;
    }
  };
  EXPECT_EQ(on_.block_on(local::tree(7)), 2187);
}

TEST_P(ForkJoin, RunsItsChildrenAtOnceIfThereAreWorkers) {
  if (GetParam() < 2) {
    GTEST_SKIP() << "it takes two workers";
  }
  std::latch both(2);  // Neither child ends before the other has begun.
  const auto child = [&both]() -> task<> {
    both.arrive_and_wait();
    co_return;
  };
  const auto body = [&]() -> task<> { co_await fork_join(child(), child()); };
  on_.block_on(body);
}

// ---- Stops -----------------------------------------------------------------------------------------

TEST_P(ForkJoin, IsACancellationPointOnEntryAndRunsNoChildThen) {
  bool ran = false;
  const auto child = [&]() -> task<> {
    ran = true;
    co_return;
  };
  const auto body = [&]() -> task<> {
    node_.cancel();
    co_await fork_join(child(), child());
  };
  stub_task<> under(on_, node_, body());
  EXPECT_EQ(under.wait(), ending::stopped);
  EXPECT_FALSE(ran);
}

TEST_P(ForkJoin, AStoppedChildStopsTheParentWhenAllHaveEnded) {
  std::vector<stub_event> events(3);
  std::atomic<int> gone{0};
  struct leaving {
    std::atomic<int>& count;
    ~leaving() { ++count; }
  };
  const auto child = [&](stub_event& event) -> task<std::string> {
    const leaving at_end{gone};
    co_await event.wait();
    co_return "never";
  };
  int gone_before_parent = -1;
  struct parent_end {
    std::atomic<int>& count;
    int& seen;
    ~parent_end() { seen = count; }
  };
  bool went_on = false;
  const auto body = [&]() -> task<> {
    const parent_end at_end{gone, gone_before_parent};
    co_await fork_join<parent_scope>(child(events[0]), child(events[1]), child(events[2]),
                                     text("done"));
    went_on = true;
  };
  stub_task<> under(on_, node_, body());
  node_.await_enrolled(3);
  node_.cancel();
  EXPECT_EQ(under.wait(), ending::stopped);
  EXPECT_FALSE(went_on);
  EXPECT_EQ(gone_before_parent, 3);
}

TEST_P(ForkJoin, AFailureBeatsAStop) {
  stub_event event;
  std::latch failed(1);
  const auto failing = [&]() -> task<int> {
    failed.count_down();
    throw 7;
    co_return 0;
  };
  const auto body = [&]() -> task<int> {
    try {
      co_await fork_join<parent_scope>(wait_for(event), failing(), text("x"));
    } catch (int thrown) {
      co_return thrown;
    }
    co_return 0;
  };
  stub_task<int> under(on_, node_, body());
  node_.await_enrolled(1);
  failed.wait();
  node_.cancel();
  EXPECT_EQ(under.get(), 7);
}

TEST_P(ForkJoin, AStopGoesThroughForksInForks) {
  struct local {
    static task<long> tree(int n, std::vector<stub_event>& events, std::size_t which) {
      if (n == 0) {
        co_return co_await events[which].wait();
      }
      auto [a, b] = co_await fork_join<parent_scope>(tree(n - 1, events, 2 * which),
                                                     tree(n - 1, events, 2 * which + 1));
      co_return a + b;
    }
  };
  std::vector<stub_event> events(64);
  stub_task<long> under(on_, node_, local::tree(6, events, 0));
  node_.await_enrolled(64);
  node_.cancel();
  EXPECT_EQ(under.wait(), ending::stopped);
}

// ---- Memory ----------------------------------------------------------------------------------------

TEST_P(ForkJoin, NeverAwaitedDestroysItsChildren) {
  const auto counted = std::make_shared<int>(7);
  const auto child = [](std::shared_ptr<int> held) -> task<int> { co_return *held; };
  {
    auto never = fork_join(child(counted), child(counted));
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(ForkJoinMemory, AllocatesNothingButFrames) {
  executor on({.threads = 1});
  struct local {
    static task<long> fib(int n) {
      if (n < 2) {
        co_return n;
      }
      auto [a, b] = co_await fork_join(fib(n - 1), fib(n - 2));
      co_return a + b;
    }
  };
  const auto body = []() -> task<> {
    co_await local::fib(15);  // Fills the worker's cache of frames.
    const std::size_t large = frame_cache::live_large_blocks();
    const std::size_t blocks = this_worker()->frames.live_blocks();
    const std::size_t before = testing_support::thread_allocations();
    co_await local::fib(15);
    if (this_worker()->frames.held_bytes() != 0) {  // Else each frame is an allocation.
      EXPECT_EQ(testing_support::thread_allocations(), before);
    }
    EXPECT_EQ(this_worker()->frames.live_blocks(), blocks);
    EXPECT_EQ(frame_cache::live_large_blocks(), large);
  };
  on.block_on(body);
}

}  // namespace
}  // namespace coppice::detail
