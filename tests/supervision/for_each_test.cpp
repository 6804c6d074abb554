// Tests for_each: one function over a range, so many at once.
#include <coppice/gather.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::count_stop;
using testing_support::fail_when_stopped;
using testing_support::live_mark;
using testing_support::messages_of;
using testing_support::move_only;
using testing_support::report_log;
using testing_support::sleep_marked;

class ForEach : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, ForEach, testing::Values(1u, 2u, 4u));

// In order of the calls.
class number_list {
 public:
  void add(int number) {
    const std::lock_guard lock(mutex_);
    numbers_.push_back(number);
  }
  std::vector<int> all() const {
    const std::lock_guard lock(mutex_);
    return numbers_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<int> numbers_;
};

TEST_P(ForEach, CallsTheFunctionForEachElement) {
  std::atomic<int> sum{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<int> numbers{1, 2, 3, 4, 5};
    co_await for_each(limit{2}, numbers, [&](int number) -> task<> {
      co_await sleep_for(1ms);
      sum.fetch_add(number);
    });
    EXPECT_EQ(sum.load(), 15);
  });
  EXPECT_EQ(rt.clock().elapsed(), 3ms);
}

TEST_P(ForEach, TakesAPlainFunction) {
  std::atomic<int> sum{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<int> numbers{1, 2, 3};
    co_await for_each(limit{4}, numbers, [&](int number) { sum.fetch_add(number); });
  });
  EXPECT_EQ(sum.load(), 6);
}

TEST_P(ForEach, StartsInOrder) {
  number_list started;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await for_each(limit{1}, std::views::iota(0, 5), [&](int i) -> task<> {
      started.add(i);
      co_await sleep_for((5 - i) * 1ms);
    });
  });
  EXPECT_THAT(started.all(), ElementsAre(0, 1, 2, 3, 4));
}

TEST_P(ForEach, RunsAtMostSoManyAtOnce) {
  for (const std::size_t at_once : {1u, 3u, 8u}) {
    std::atomic<int> running{0};
    std::atomic<int> over{0};
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      co_await for_each(limit{at_once}, std::views::iota(0, 24), [&](int) -> task<> {
        if (running.fetch_add(1) >= static_cast<int>(at_once)) {
          over.fetch_add(1);
        }
        co_await sleep_for(1ms);
        running.fetch_sub(1);
      });
    });
    EXPECT_EQ(over.load(), 0);
    EXPECT_EQ(rt.clock().elapsed(), 24ms / at_once);
  }
}

TEST_P(ForEach, TakesAnElementOnlyWhenItsTurnComes) {
  std::atomic<int> taken{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto take = [&taken](int i) {
      taken.fetch_add(1);
      return i;
    };
    auto numbers = std::views::iota(0, 6) | std::views::transform(take);
    const auto look = [&taken]() -> task<int> {
      co_await sleep_for(1500us);
      co_return taken.load();
    };
    auto [done, seen] = co_await gather(
        for_each(limit{2}, numbers, [](int) -> task<> { co_await sleep_for(1ms); }), look());
    EXPECT_EQ(seen, 4);
    EXPECT_EQ(taken.load(), 6);
  });
}

TEST_P(ForEach, TakesAnEndlessRangeUntilAFailure) {
  std::atomic<int> runs{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    EXPECT_THROW(co_await for_each(limit{3}, std::views::iota(0),
                                   [&](int i) -> task<> {
                                     runs.fetch_add(1);
                                     co_await sleep_for(1ms);
                                     if (i == 7) {
                                       throw std::runtime_error("the eighth");
                                     }
                                   }),
                 std::runtime_error);
  });
  EXPECT_GE(runs.load(), 8);
  EXPECT_LE(runs.load(), 11);
}

TEST_P(ForEach, TakesARangeThatCanBeReadOnce) {
  std::atomic<int> sum{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::istringstream in("3 1 2");
    std::ranges::istream_view<int> numbers(in);
    co_await for_each(limit{2}, numbers, [&](int number) -> task<> {
      co_await sleep_for(number * 1ms);
      sum.fetch_add(number);
    });
  });
  EXPECT_EQ(sum.load(), 6);
}

TEST_P(ForEach, GivesTheElementsOfANamedRangeByReference) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<move_only> numbers;
    numbers.emplace_back(1);
    numbers.emplace_back(2);
    co_await for_each(limit{2}, numbers, [](move_only& number) -> task<> {
      co_await sleep_for(1ms);
      number = move_only(number.number() * 10);
    });
    EXPECT_EQ(numbers[0].number(), 10);
    EXPECT_EQ(numbers[1].number(), 20);
  });
}

TEST_P(ForEach, KeepsAnElementThatARangeMakesWhileItsTaskRuns) {
  std::atomic<int> right{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    auto texts = std::views::iota(0, 4) | std::views::transform([](int i) {
                   return std::string(100, static_cast<char>('a' + i));
                 });
    co_await for_each(limit{2}, texts, [&](const std::string& text) -> task<> {
      co_await sleep_for(1ms);
      if (text == std::string(100, text.at(0))) {
        right.fetch_add(1);
      }
    });
  });
  EXPECT_EQ(right.load(), 4);
}

TEST_P(ForEach, KeepsARangeThatIsGivenAway) {
  std::atomic<int> sum{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    auto later = for_each(limit{2}, std::vector<int>{1, 2, 3}, [&](int number) -> task<> {
      co_await sleep_for(1ms);
      sum.fetch_add(number);
    });
    co_await sleep_for(1ms);
    EXPECT_EQ(sum.load(), 0);
    co_await std::move(later);
  });
  EXPECT_EQ(sum.load(), 6);
}

TEST_P(ForEach, OfNothingCallsNothing) {
  std::atomic<int> calls{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await for_each(limit{2}, std::vector<int>(), [&](int) -> task<> {
      calls.fetch_add(1);
      co_return;
    });
  });
  EXPECT_EQ(calls.load(), 0);
}

TEST_P(ForEach, WithALimitOfZeroIsAUsageError) {
  std::atomic<int> calls{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<int> numbers{1};
    EXPECT_THROW(co_await for_each(limit{0}, numbers,
                                   [&](int) -> task<> {
                                     calls.fetch_add(1);
                                     co_return;
                                   }),
                 usage_error);
  });
  EXPECT_EQ(calls.load(), 0);
}

TEST_P(ForEach, FailsAsGatherDoes) {
  std::atomic<int> stops{0};
  std::atomic<int> late{0};
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto child = [&](int i) -> task<> {
      if (i == 0) {
        co_await sleep_for(2ms);
        throw std::runtime_error("first");
      }
      if (i == 1) {
        co_await fail_when_stopped("second");
      } else if (i == 2) {
        co_await count_stop(stops);
      }
      late.fetch_add(1);
    };
    const auto end = co_await as_result(for_each(limit{3}, std::views::iota(0, 9), child));
    EXPECT_EQ(end.entry().message(), "first");
    EXPECT_EQ(end.entry().suppressed().size(), 1u);
    EXPECT_EQ(stops.load(), 1);
  });
  EXPECT_EQ(late.load(), 0);
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("second"));
}

TEST_P(ForEach, TakesAThrowOfAPlainFunctionAsAFailure) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await for_each(limit{2}, std::views::iota(0, 4),
                                   [](int i) {
                                     if (i == 2) {
                                       throw std::out_of_range("the third");
                                     }
                                   }),
                 std::out_of_range);
  });
}

TEST_P(ForEach, EndsWhatHasBegunIfTheRangeThrows) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto take = [](int i) {
      if (i == 2) {
        throw std::out_of_range("no third");
      }
      return i;
    };
    auto numbers = std::views::iota(0, 5) | std::views::transform(take);
    const auto child = [&](int) -> task<> { co_await sleep_marked(live); };
    EXPECT_THROW(co_await for_each(limit{5}, numbers, child), std::out_of_range);
    EXPECT_EQ(live.load(), 0);
  });
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
}

TEST_P(ForEach, IsSeenByAStopOnEntry) {
  std::atomic<int> calls{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await for_each(limit{1}, std::views::iota(0, 5), [&](int) { calls.fetch_add(1); });
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
  });
  EXPECT_EQ(calls.load(), 0);
}

TEST_P(ForEach, StopsWithItsCallerAndStartsNoMore) {
  std::atomic<int> live{0};
  std::atomic<int> calls{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 1ms}, [&]() -> task<> {
      co_await for_each(limit{3}, std::views::iota(0, 100), [&](int) -> task<> {
        calls.fetch_add(1);
        const live_mark mark(live);
        co_await sleep_for(1h);
      });
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
  });
  EXPECT_EQ(calls.load(), 3);
}

}  // namespace
}  // namespace coppice
