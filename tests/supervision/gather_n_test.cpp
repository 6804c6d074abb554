// Tests gather_n: n tasks of one function, each made when its turn comes.
#include <coppice/gather.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::count_stop;
using testing_support::fail_when_stopped;
using testing_support::messages_of;
using testing_support::move_only;
using testing_support::report_log;
using testing_support::sleep_marked;

class GatherN : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, GatherN, testing::Values(1u, 2u, 4u));

task<int> square(std::size_t i) {
  co_await sleep_for((10 - static_cast<int>(i)) * 1ms);
  co_return static_cast<int>(i * i);
}

TEST_P(GatherN, GivesTheResultsInOrder) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::vector<int> all = co_await gather_n(5, square);
    EXPECT_THAT(all, ElementsAre(0, 1, 4, 9, 16));
  });
  EXPECT_EQ(rt.clock().elapsed(), 10ms);
}

TEST_P(GatherN, CallsTheFunctionOnceForEachNumber) {
  std::array<std::atomic<int>, 100> calls{};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await gather_n(100, [&](std::size_t i) -> task<> {
      calls.at(i).fetch_add(1);
      co_await yield();
    });
  });
  for (const std::atomic<int>& each : calls) {
    EXPECT_EQ(each.load(), 1);
  }
}

TEST_P(GatherN, GivesNothingForVoid) {
  static_assert(
      std::is_void_v<awaited_t<decltype(gather_n(1, [](std::size_t) -> task<> { co_return; }))>>);
  std::atomic<int> sum{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await gather_n(4, [&](std::size_t i) -> task<> {
      co_await sleep_for(1ms);
      sum.fetch_add(static_cast<int>(i));
    });
    EXPECT_EQ(sum.load(), 6);
  });
}

TEST_P(GatherN, MovesResultsThatCannotBeCopiedNorMadeFromNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::vector<move_only> all = co_await gather_n(3, [](std::size_t i) -> task<move_only> {
      co_await sleep_for((3 - static_cast<int>(i)) * 1ms);
      co_return move_only(static_cast<int>(i));
    });
    EXPECT_EQ(all.size(), 3u);
    for (int i = 0; const move_only& each : all) {
      EXPECT_EQ(each.number(), i++);
    }
  });
}

TEST_P(GatherN, AssignsTheResultsWhereTheyAreWanted) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::array<int, 6> results{};
    results[5] = -1;
    co_await gather_n(5, square, results.begin());
    EXPECT_THAT(results, ElementsAre(0, 1, 4, 9, 16, -1));
  });
}

TEST_P(GatherN, OfZeroGivesNothingAndCallsNothing) {
  std::atomic<int> calls{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<int> none = co_await gather_n(0, [&](std::size_t) -> task<int> {
      calls.fetch_add(1);
      co_return 0;
    });
    EXPECT_THAT(none, IsEmpty());
  });
  EXPECT_EQ(calls.load(), 0);
}

TEST_P(GatherN, OfOneGivesOne) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::vector<int> one = co_await gather_n(1, square);
    EXPECT_THAT(one, ElementsAre(0));
  });
}

TEST_P(GatherN, FailsAsGatherDoes) {
  std::atomic<int> stops{0};
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto child = [&](std::size_t i) -> task<int> {
      if (i == 0) {
        co_await sleep_for(2ms);
        throw std::runtime_error("first");
      }
      if (i == 1) {
        co_return co_await fail_when_stopped("second");
      }
      co_return co_await count_stop(stops);
    };
    const auto end = co_await as_result(gather_n(4, child));
    EXPECT_EQ(end.entry().message(), "first");
    EXPECT_EQ(end.entry().suppressed().size(), 1u);
    EXPECT_EQ(stops.load(), 2);
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("second"));
}

TEST_P(GatherN, TakesAThrowOfTheFunctionItselfAsAFailure) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto make = [&](std::size_t i) {
      if (i == 3) {
        throw std::out_of_range("no fourth");
      }
      return sleep_marked(live);
    };
    EXPECT_THROW(co_await gather_n(5, make), std::out_of_range);
    EXPECT_EQ(live.load(), 0);
  });
  EXPECT_EQ(rt.clock().elapsed(), 0ns);
}

TEST_P(GatherN, StopsWithItsCaller) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 1ms}, [&]() -> task<> {
      co_await gather_n(8, [&](std::size_t) { return sleep_marked(live); });
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
  });
}

TEST_P(GatherN, MakesNothingForACancelledCaller) {
  std::atomic<int> calls{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await gather_n(8, [&](std::size_t) -> task<> {
        calls.fetch_add(1);
        co_return;
      });
    });
  });
  EXPECT_EQ(calls.load(), 0);
}

TEST_P(GatherN, UsesANamedFunctionByReference) {
  struct counting {
    std::atomic<int> calls{0};
    task<int> operator()(std::size_t i) {
      calls.fetch_add(1);
      co_return static_cast<int>(i);
    }
  };
  counting fn;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> { co_await gather_n(3, fn); });
  EXPECT_EQ(fn.calls.load(), 3);
}

task<long> fan_out(int depth) {
  if (depth == 0) {
    co_return 1;
  }
  const std::vector<long> below =
      co_await gather_n(4, [depth](std::size_t) { return fan_out(depth - 1); });
  long sum = 0;
  for (const long each : below) {
    sum += each;
  }
  co_return sum;
}

TEST_P(GatherN, IsTheForkJoinOfManyChildren) {
  test_runtime rt(workers());
  EXPECT_EQ(rt.block_on(fan_out(6)), 4'096);
}

}  // namespace
}  // namespace coppice
