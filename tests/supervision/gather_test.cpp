// Tests gather of a tuple: results, their types, and what it takes.
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::count_run;
using testing_support::end_after;
using testing_support::give;
using testing_support::give_after;
using testing_support::move_only;

class Gather : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, Gather, testing::Values(1u, 2u, 4u));

template <class... A>
using gather_value = awaited_t<decltype(gather(std::declval<A>()...))>;

static_assert(std::is_same_v<gather_value<>, std::tuple<>>);
static_assert(std::is_same_v<gather_value<task<int>, task<std::string>, task<>>,
                             std::tuple<int, std::string, std::monostate>>);
static_assert(std::is_same_v<gather_value<task<int&>>, std::tuple<std::reference_wrapper<int>>>);
static_assert(std::is_same_v<gather_value<task_handle<int>>, std::tuple<int>>);
static_assert(std::is_same_v<gather_value<task_handle<int>&>, std::tuple<int>>);
static_assert(std::is_same_v<gather_value<const task_handle<int>&>, std::tuple<int>>);
static_assert(std::is_same_v<gather_value<task_handle<>&>, std::tuple<std::monostate>>);
static_assert(awaitable<decltype(gather(std::declval<task<int>>()))>);

TEST_P(Gather, GivesTheResultsInTheOrderOfTheArguments) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto [a, b, c] = co_await gather(give_after(3ms, 1), give_after(1ms, std::string("two")),
                                     give_after(2ms, 3));
    EXPECT_EQ(a, 1);
    EXPECT_EQ(b, "two");
    EXPECT_EQ(c, 3);
  });
}

TEST_P(Gather, RunsItsTasksAtTheSameTime) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> { co_await gather(end_after(3ms), end_after(5ms), end_after(4ms)); });
  EXPECT_EQ(rt.clock().elapsed(), 5ms);
}

TEST_P(Gather, GivesAMonostateForVoid) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto [none, number] = co_await gather(end_after(1ms), give(4));
    EXPECT_EQ(none, std::monostate{});
    EXPECT_EQ(number, 4);
  });
}

task<int&> refer_to(int& target) {
  co_await yield();
  co_return target;
}

TEST_P(Gather, GivesAReferenceAsAReferenceWrapper) {
  int target = 1;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    auto [reference, number] = co_await gather(refer_to(target), give(4));
    EXPECT_EQ(&reference.get(), &target);
    EXPECT_EQ(number, 4);
  });
}

TEST_P(Gather, MovesResultsThatCannotBeCopiedNorMadeFromNothing) {
  static_assert(!std::is_default_constructible_v<move_only>);
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto [a, b] = co_await gather(give_after(1ms, move_only(7)), give(std::make_unique<int>(8)));
    EXPECT_EQ(a.number(), 7);
    EXPECT_EQ(*b, 8);
  });
}

TEST_P(Gather, TakesNamedTasksByMove) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task<int> one = give_after(1ms, 1);
    task<int> two = give(2);
    auto [a, b] = co_await gather(std::move(one), std::move(two));
    EXPECT_EQ(a + b, 3);
    EXPECT_FALSE(one);
    EXPECT_FALSE(two);
  });
}

TEST_P(Gather, TakesOperationsBesideTasks) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto [slept, timed, moved_on, number] =
        co_await gather(sleep_for(2ms), with_timeout(5ms, give_after(1ms, 2)),
                        move_on_after(1ms, end_after(1h)), give(4));
    EXPECT_EQ(slept, std::monostate{});
    EXPECT_EQ(timed, 2);
    EXPECT_FALSE(moved_on);
    EXPECT_EQ(number, 4);
  });
  EXPECT_EQ(rt.clock().elapsed(), 2ms);
}

TEST_P(Gather, TakesNamedOperationsByMove) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto sleep = sleep_for(2ms);
    auto timed = with_timeout(5ms, give_after(1ms, 2));
    auto [slept, number] = co_await gather(std::move(sleep), std::move(timed));
    EXPECT_EQ(slept, std::monostate{});
    EXPECT_EQ(number, 2);
  });
  EXPECT_EQ(rt.clock().elapsed(), 2ms);
}

TEST_P(Gather, TakesGathers) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto [inner, other] =
        co_await gather(gather(give_after(1ms, 1), give(2)), gather(give(3), end_after(2ms)));
    EXPECT_EQ(inner, std::tuple(1, 2));
    EXPECT_EQ(std::get<0>(other), 3);
  });
}

TEST_P(Gather, CopiesFromAHandleThatStays) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<std::string> handle = spawn(give_after(1ms, std::string("kept")));
    const task_handle<int> constant = spawn(give(5));
    auto [text, number] = co_await gather(handle, constant);
    EXPECT_EQ(text, "kept");
    EXPECT_EQ(number, 5);
    EXPECT_EQ(handle.result().get(), "kept");
    EXPECT_EQ(constant.result().get(), 5);
  });
}

TEST_P(Gather, MovesOutOfAHandleThatIsGivenAway) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<move_only> handle = spawn(give_after(1ms, move_only(6)));
    auto [value] = co_await gather(std::move(handle));
    EXPECT_EQ(value.number(), 6);
  });
}

TEST_P(Gather, TakesHandlesThatAreDone) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> one = spawn(give(1));
    const task_handle<> two = spawn(end_after(1ms));
    co_await two;
    co_await one;
    auto [number, none] = co_await gather(one, two);
    EXPECT_EQ(number, 1);
    EXPECT_EQ(none, std::monostate{});
  });
}

TEST_P(Gather, TakesAHandleTwice) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> handle = spawn(give_after(1ms, 3));
    auto [a, b] = co_await gather(handle, handle);
    EXPECT_EQ(a, 3);
    EXPECT_EQ(b, 3);
  });
}

TEST_P(Gather, OfOneGivesATupleOfOne) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const std::tuple<int> one = co_await gather(give_after(1ms, 9));
    EXPECT_EQ(std::get<0>(one), 9);
  });
}

TEST_P(Gather, OfManyGivesAllOfThem) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto all = co_await gather(give(0), give_after(1ms, 1), give(2), give_after(2ms, 3),
                                     give(4), give_after(3ms, 5), give(6), give_after(1ms, 7));
    EXPECT_EQ(all, std::tuple(0, 1, 2, 3, 4, 5, 6, 7));
  });
}

// With one worker, so that a task which was spawned cannot run unless this one suspends.
TEST(GatherOnOneWorker, OfNothingGivesAnEmptyTupleWithoutSuspending) {
  std::atomic<int> runs{0};
  test_runtime rt{{.workers = 1}};
  rt.block_on([&]() -> task<> {
    spawn(count_run(runs));
    const std::tuple<> none = co_await gather();
    EXPECT_EQ(none, std::tuple<>());
    EXPECT_EQ(runs.load(), 0);
  });
}

TEST_P(Gather, RunsNothingBeforeItIsAwaited) {
  std::atomic<int> runs{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    auto later = gather(count_run(runs, 1), count_run(runs, 2));
    co_await sleep_for(1ms);
    EXPECT_EQ(runs.load(), 0);
    auto [a, b] = co_await std::move(later);
    EXPECT_EQ(a, 1);
    EXPECT_EQ(b, 2);
    EXPECT_EQ(runs.load(), 2);
  });
}

task<> hold(std::shared_ptr<std::atomic<int>> owned) {
  co_await sleep_for(1ms);
  ++*owned;
}

TEST_P(Gather, DestroysWhatItWasGivenIfItIsDropped) {
  const auto owned = std::make_shared<std::atomic<int>>(0);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    {
      auto dropped = gather(hold(owned), hold(owned));
      EXPECT_EQ(owned.use_count(), 3);
    }
    EXPECT_EQ(owned.use_count(), 1);
    co_await sleep_for(2ms);
  });
  EXPECT_EQ(*owned, 0);
}

TEST_P(Gather, DestroysTheFramesOfItsTasksBeforeItGoesOn) {
  const auto owned = std::make_shared<std::atomic<int>>(0);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await gather(hold(owned), hold(owned));
    EXPECT_EQ(owned.use_count(), 1);
  });
  EXPECT_EQ(*owned, 2);
}

task<task_id> tell_id() {
  co_await yield();
  co_return this_task::id();
}

TEST_P(Gather, IsAPartOfItsTask) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_id own = this_task::id();
    auto [a, b] = co_await gather(tell_id(), tell_id());
    EXPECT_EQ(a, own);
    EXPECT_EQ(b, own);
  });
}

TEST_P(Gather, OrAbortIsAnotherNameForIt) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    auto [number, none] = co_await gather_or_abort(give_after(2ms, 1), end_after(1ms));
    EXPECT_EQ(number, 1);
    EXPECT_EQ(none, std::monostate{});
    using aborting = decltype(gather_or_abort(give(1), sleep_for(1ms)));
    static_assert(std::is_same_v<awaited_t<aborting>, std::tuple<int, std::monostate>>);
  });
}

task<long> fibonacci(long n) {
  if (n < 2) {
    co_return n;
  }
  auto [a, b] = co_await gather(fibonacci(n - 1), fibonacci(n - 2));
  co_return a + b;
}

TEST_P(Gather, IsTheForkJoinOfComputeCode) {
  test_runtime rt(workers());
  EXPECT_EQ(rt.block_on(fibonacci(18)), 2584);
}

task<int> nested(int depth) {
  if (depth == 0) {
    co_return co_await give_after(1ms, 1);
  }
  auto [below, here] = co_await gather(nested(depth - 1), give(1));
  co_return below + here;
}

TEST_P(Gather, MayStandInOthersDeeply) {
  test_runtime rt(workers());
  EXPECT_EQ(rt.block_on(nested(1'000)), 1'001);
}

TEST_P(Gather, MayBeAwaitedByManyTasks) {
  std::atomic<int> sum{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& g) -> task<> {
      for (int i = 0; i != 50; ++i) {
        g.spawn([&sum, i]() -> task<> {
          auto [a, b] = co_await gather(give_after(i * 1ms, i), give(1));
          sum.fetch_add(a + b);
        });
      }
      co_return;
    });
  });
  EXPECT_EQ(sum.load(), 49 * 50 / 2 + 50);
}

TEST_P(Gather, ThrowsUsageErrorForATaskThatHoldsNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await gather(task<int>(), give(1)), usage_error);
    EXPECT_THROW(co_await gather(give(1), task_handle<int>()), usage_error);
  });
}

}  // namespace
}  // namespace coppice
