// The join itself, by the form of fork-join that makes its children one after the other.
#include <coppice/detail/fork_base.h>
#include <coppice/detail/fork_join.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>

#include "tests/support/failing_new.h"
#include "tests/support/load.h"
#include "tests/support/stub_event.h"
#include "tests/support/stub_node.h"

namespace coppice::detail {
namespace {

using testing_support::ending;
using testing_support::rounds;
using testing_support::stub_event;
using testing_support::stub_node;
using testing_support::stub_task;

class ForkBase : public testing::TestWithParam<unsigned> {
 protected:
  ~ForkBase() override {
    EXPECT_TRUE(on_.wait_until_idle());
    EXPECT_EQ(node_.waiting(), 0);
  }

  executor on_{options{.threads = GetParam()}};
  stub_node node_{on_};
};

INSTANTIATE_TEST_SUITE_P(Workers, ForkBase, testing::Values(1u, 2u, 4u));

TEST_P(ForkBase, RunsSoManyChildrenAndPutsTheirResultsInOrder) {
  for (const std::size_t n : {0u, 1u, 2u, 3u, 1000u}) {
    const auto square = [](std::size_t i) -> task<std::size_t> { co_return i* i; };
    const auto body = [&]() -> task<std::size_t> {
      std::vector<std::size_t> results(n, 12345);
      co_await fork_join_n(n, square, results.begin());
      for (std::size_t i = 0; i != n; ++i) {
        EXPECT_EQ(results[i], i * i);
      }
      co_return results.size();
    };
    EXPECT_EQ(on_.block_on(body), n);
  }
}

TEST_P(ForkBase, RunsChildrenThatSuspend) {
  const auto late = [](std::size_t i) -> task<std::size_t> {
    for (std::size_t times = i % 3; times != 0; --times) {
      co_await yield();
    }
    if (i % 50 == 0) {
      co_await sleep_for(std::chrono::microseconds(50));
    }
    co_return i;
  };
  const auto body = [&]() -> task<std::size_t> {
    std::vector<std::size_t> results(1000);
    co_await fork_join_n(results.size(), late, results.begin());
    co_return std::accumulate(results.begin(), results.end(), std::size_t{0});
  };
  EXPECT_EQ(on_.block_on(body), 499'500u);
}

TEST_P(ForkBase, PutsResultsOfEveryKind) {
  struct alignas(64) wide {
    int value = 0;
  };
  const auto texts = [](std::size_t i) -> task<std::string> {
    co_return std::string(100, static_cast<char>('a' + i));
  };
  const auto moved_only = [](std::size_t i) -> task<std::unique_ptr<std::size_t>> {
    co_return std::make_unique<std::size_t>(i);
  };
  const auto aligned = [](std::size_t i) -> task<wide> { co_return wide{static_cast<int>(i)}; };
  const auto body = [&]() -> task<> {
    std::vector<std::string> strings(20);
    std::vector<std::unique_ptr<std::size_t>> pointers(20);
    std::vector<wide> wides(20);
    co_await fork_join_n(20, texts, strings.begin());
    co_await fork_join_n(20, moved_only, pointers.begin());
    co_await fork_join_n(20, aligned, wides.begin());
    for (std::size_t i = 0; i != 20; ++i) {
      EXPECT_EQ(strings[i], std::string(100, static_cast<char>('a' + i)));
      EXPECT_EQ(*pointers[i], i);
      EXPECT_EQ(wides[i].value, static_cast<int>(i));
    }
  };
  on_.block_on(body);
}

TEST_P(ForkBase, RunsChildrenWithoutResults) {
  std::atomic<int> ran{0};
  const auto child = [&](std::size_t) -> task<> {
    ++ran;
    co_return;
  };
  const auto body = [&]() -> task<> { co_await fork_join_n(1000, child); };
  on_.block_on(body);
  EXPECT_EQ(ran, 1000);
}

TEST_P(ForkBase, MakesEachChildWhenItsTurnComes) {
  std::atomic<int> made{0};
  std::atomic<int> ended{0};
  int most_alive = 0;
  std::mutex mutex;
  const auto body_of_child = [&]() -> task<> {
    ++ended;
    co_return;
  };
  const auto child = [&](std::size_t) {
    const std::lock_guard lock(mutex);
    most_alive = std::max(most_alive, ++made - ended.load());
    return body_of_child();
  };
  const auto body = [&]() -> task<> { co_await fork_join_n(1000, child); };
  on_.block_on(body);
  EXPECT_EQ(made, 1000);
  EXPECT_LE(most_alive, 2 * static_cast<int>(GetParam()) + 1);
}

TEST_P(ForkBase, ThrowsTheFirstFailureAndMakesNoMoreChildren) {
  std::atomic<int> made{0};
  const auto child = [&](std::size_t i) -> task<int> {
    ++made;
    if (i == 10) {
      throw 7;
    }
    co_return 0;
  };
  const auto body = [&]() -> task<int> {
    std::vector<int> results(1'000'000);
    try {
      co_await fork_join_n(results.size(), child, results.begin());
    } catch (int thrown) {
      co_return thrown;
    }
    co_return 0;
  };
  EXPECT_EQ(on_.block_on(body), 7);
  EXPECT_LT(made, 1'000'000);
  if (GetParam() == 1) {
    EXPECT_EQ(made, 11);
  }
}

TEST_P(ForkBase, ACallableThatThrowsFailsTheFork) {
  for (const std::size_t last : {0u, 1u, 499u, 999u}) {
    const auto child = [last](std::size_t i) -> task<std::size_t> {
      if (i == last) {
        throw std::out_of_range("no such child");
      }
      return [](std::size_t value) -> task<std::size_t> { co_return value; }(i);
    };
    const auto body = [&]() -> task<bool> {
      std::vector<std::size_t> results(1000);
      try {
        co_await fork_join_n(results.size(), child, results.begin());
      } catch (const std::out_of_range&) {
        co_return true;
      }
      co_return false;
    };
    EXPECT_TRUE(on_.block_on(body));
  }
}

TEST_P(ForkBase, ReportsEachFailureThatCameTooLate) {
  std::atomic<int> reported{0};
  std::atomic<int> thrown{0};
  on_.set_error_handler([&](const error_report& report) {
    EXPECT_EQ(report.origin, error_origin::suppressed);
    ++reported;
  });
  const auto child = [&](std::size_t i) -> task<> {
    co_await yield();
    ++thrown;
    throw static_cast<int>(i);
  };
  const auto body = [&]() -> task<> {
    bool caught = false;
    try {
      co_await fork_join_n(100, child);
    } catch (int) {
      caught = true;
    }
    EXPECT_TRUE(caught);
  };
  on_.block_on(body);
  EXPECT_GE(thrown, 1);
  EXPECT_EQ(reported, thrown - 1);
}

// What it queues comes to lie on top of the fork in the worker's deque, and may show the fork to thieves.
TEST_P(ForkBase, TheCallableMayQueueOtherWork) {
  for (const std::size_t n : {1u, 2u, 3u, 100u}) {
    for (int round = 0; round != 20; ++round) {
      std::atomic<std::size_t> made{0};
      std::atomic<std::size_t> other_ran{0};
      const auto nothing = []() -> task<> { co_return; };
      const auto child = [&](std::size_t) {
        ++made;
        spawn([&] { ++other_ran; });
        return nothing();
      };
      const auto body = [&]() -> task<> { co_await fork_join_n(n, child); };
      on_.block_on(body);
      ASSERT_TRUE(on_.wait_until_idle());
      ASSERT_EQ(made, n);
      ASSERT_EQ(other_ran, n);
    }
  }
}

// The alternative would be to count children wrong.
TEST_P(ForkBase, RefusesMoreChildrenThanItCanCount) {
  const auto child = [](std::size_t) -> task<> { co_return; };
  const auto body = [&]() -> task<bool> {
    try {
      co_await fork_join_n(std::size_t{1} << 32, child);
    } catch (const std::length_error&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(on_.block_on(body));
}

TEST_P(ForkBase, MayStandInsideAnother) {
  struct local {
    static task<long> tree(int depth) {
      if (depth == 0) {
        co_return 1;
      }
      std::array<long, 8> parts{};
      const auto child = [depth](std::size_t) { return tree(depth - 1); };
      co_await fork_join_n(parts.size(), child, parts.begin());
      co_return std::accumulate(parts.begin(), parts.end(), 0L);
    }
  };
  EXPECT_EQ(on_.block_on(local::tree(4)), 4096);
}

// ---- Stops -----------------------------------------------------------------------------------------

TEST_P(ForkBase, IsACancellationPointOnEntryAndMakesNoChildThen) {
  bool made = false;
  const auto child = [&](std::size_t) -> task<> {
    made = true;
    co_return;
  };
  const auto body = [&]() -> task<> {
    node_.cancel();
    co_await fork_join_n(10, child);
  };
  stub_task<> under(on_, node_, body());
  EXPECT_EQ(under.wait(), ending::stopped);
  EXPECT_FALSE(made);
}

TEST_P(ForkBase, AStoppedChildStopsTheParentWhenAllHaveEnded) {
  std::vector<stub_event> events(20);
  std::atomic<int> gone{0};
  const auto child = [&](std::size_t i) -> task<int> {
    struct leaving {
      std::atomic<int>& count;
      ~leaving() { ++count; }
    } const at_end{gone};
    co_return co_await events[i].wait();
  };
  int gone_before_parent = -1;
  const auto body = [&]() -> task<> {
    struct parent_end {
      std::atomic<int>& count;
      int& seen;
      ~parent_end() { seen = count; }
    } const at_end{gone, gone_before_parent};
    std::vector<int> results(events.size());
    co_await fork_join_n<parent_scope>(events.size(), child, results.begin());
    ADD_FAILURE() << "went on";
  };
  stub_task<> under(on_, node_, body());
  node_.await_enrolled(20);
  node_.cancel();
  EXPECT_EQ(under.wait(), ending::stopped);
  EXPECT_EQ(gone_before_parent, 20);
}

TEST_P(ForkBase, AFailureBeatsAStop) {
  stub_event event;
  const auto child = [&](std::size_t i) -> task<int> {
    if (i == 1) {
      throw 7;
    }
    co_return co_await event.wait();
  };
  const auto body = [&]() -> task<int> {
    std::vector<int> results(2);
    try {
      co_await fork_join_n<parent_scope>(2, child, results.begin());
    } catch (int thrown) {
      co_return thrown;
    }
    co_return 0;
  };
  stub_task<int> under(on_, node_, body());
  node_.await_enrolled(1);
  node_.cancel();
  EXPECT_EQ(under.get(), 7);
}

// Every child ends as value or stopped, whatever the moment, and the parent exactly once behind them.
TEST_P(ForkBase, ACancelAtAnyMomentEndsItOnce) {
  for (long round = 0; round != rounds(20'000, 200); ++round) {
    stub_node node(on_);
    std::atomic<int> alive{0};
    const auto child = [&](std::size_t i) -> task<> {
      struct living {
        explicit living(std::atomic<int>& of) : count(of) { ++count; }
        ~living() { --count; }
        std::atomic<int>& count;
      } const here{alive};
      if (i % 2 == 0) {
        co_await yield();
      }
    };
    const auto body = [&]() -> task<> {
      co_await fork_join_n(30, child);
      EXPECT_EQ(alive, 0);
    };
    stub_task<> under(on_, node, body());
    for (long spin = 0; spin != round % 64; ++spin) {
      std::this_thread::yield();
    }
    node.cancel();
    const ending how = under.wait();
    ASSERT_TRUE(how == ending::value || how == ending::stopped);
    ASSERT_EQ(alive, 0);
  }
}

// ---- Memory ----------------------------------------------------------------------------------------

// J1: the last to arrive sees what all the others wrote. Plain memory, for ThreadSanitizer.
TEST_P(ForkBase, TheParentSeesWhatItsChildrenWrote) {
  for (long round = 0; round != rounds(20'000, 200); ++round) {
    const auto body = []() -> task<> {
      std::array<int, 50> written{};
      const auto child = [&written](std::size_t i) -> task<> {
        if (i % 7 == 0) {
          co_await yield();
        }
        written[i] = 1;
      };
      co_await fork_join_n(written.size(), child);
      EXPECT_EQ(std::accumulate(written.begin(), written.end(), 0), 50);
    };
    on_.block_on(body);
  }
}

TEST(ForkBaseMemory, WithoutMemoryForAChildFailsTheFork) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  executor on({.threads = 1});
  const auto child = [](std::size_t) -> task<> {
    std::array<char, 8000> large;  // Beyond what is pooled: each frame is an allocation.
    asm volatile("" ::"r"(large.data()) : "memory");
    co_await yield();
    asm volatile("" ::"r"(large.data()) : "memory");  // All of it is still wanted.
  };
  const auto body = [&]() -> task<> {
    const std::size_t before = frame_cache::live_large_blocks();
    bool refused = false;
    try {
      const testing_support::fail_allocation_at no_memory(3,
                                                          testing_support::failing_threads::caller);
      const auto inner = [&]() -> task<> { co_await fork_join_n(10, child); };
      co_await inner();
    } catch (const std::bad_alloc&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
    EXPECT_EQ(frame_cache::live_large_blocks(), before);
  };
  on.block_on(body);
}

}  // namespace
}  // namespace coppice::detail
