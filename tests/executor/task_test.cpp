#include <coppice/executor.h>
#include <coppice/task.h>

#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/accounting.h"

namespace coppice {
namespace {

using testing_support::accounted_executor;

static_assert(awaitable<task<int>> && std::same_as<awaited_t<task<int>>, int>);
static_assert(std::same_as<awaited_t<task<int&>>, int&>);
static_assert(std::same_as<task<>::value_type, void>);
static_assert(!std::copy_constructible<task<>> && std::is_nothrow_move_constructible_v<task<>>);
static_assert(sizeof(task<>) == sizeof(void*));

class Task : public testing_support::accounted_test {
 protected:
  accounted_executor& executor() {
    if (!executor_) {
      executor_ = std::make_unique<accounted_executor>(options{.threads = 1});
    }
    return *executor_;
  }

  void TearDown() override {
    executor_.reset();
    accounted_test::TearDown();
  }

 private:
  std::unique_ptr<accounted_executor> executor_;
};

struct without_default {
  explicit without_default(int v) : value(v) {}
  int value;
};

struct owning_aggregate {
  std::string text;
  std::unique_ptr<int> number;
};

struct alignas(64) wide {
  int value;
};

struct unmovable_at_last {
  explicit unmovable_at_last(int) {}
  unmovable_at_last(unmovable_at_last&&) { throw std::runtime_error("cannot be moved"); }
};

task<int> number(int n) {
  co_return n;
}
task<> nothing() {
  co_return;
}
task<std::unique_ptr<int>> owned(int n) {
  co_return std::make_unique<int>(n);
}
task<int&> same(int& object) {
  co_return object;
}
task<const std::string&> same_text(const std::string& object) {
  co_return object;
}
task<int&&> released(int& object) {
  co_return std::move(object);
}
task<without_default> made(int n) {
  co_return without_default(n);
}
task<owning_aggregate> aggregate() {
  owning_aggregate result{"text", std::make_unique<int>(5)};
  co_return result;
}
task<wide> aligned(int n) {
  co_return wide{n};
}
task<std::string> converted() {
  co_return "from a literal";
}
task<double> widened() {
  co_return 1;
}
task<bool> truth(bool value) {
  co_return value;
}
task<std::vector<int>> three() {
  co_return std::vector<int>{1, 2, 3};
}
task<unmovable_at_last> unmovable() {
  co_return unmovable_at_last(1);
}

template <class E>
task<int> failing(E error) {
  throw error;
  co_return 0;
}

task<> holding(std::shared_ptr<int>) {
  co_return;
}

task<std::uint64_t> sum_to(std::uint64_t n) {
  if (n == 0) {
    co_return std::uint64_t{0};
  }
  co_return n + co_await sum_to(n - 1);
}

TEST_F(Task, GivesAValue) {
  EXPECT_EQ(executor().block_on(number(42)), 42);
  EXPECT_TRUE(executor().block_on(truth(true)));
  executor().block_on(nothing());
}

TEST_F(Task, GivesWhatCanOnlyBeMoved) {
  const auto main = []() -> task<int> {
    const std::unique_ptr<int> got = co_await owned(7);
    co_return *got;
  };
  EXPECT_EQ(executor().block_on(main), 7);
  EXPECT_EQ(*executor().block_on(owned(8)), 8);
}

TEST_F(Task, GivesTheVeryObjectOfAReference) {
  int object = 1;
  const std::string text = "constant";
  const auto main = [&]() -> task<bool> {
    int& got = co_await same(object);
    const std::string& got_text = co_await same_text(text);
    int&& moved = co_await released(object);
    co_return &got == &object && &got_text == &text && &moved == &object;
  };
  EXPECT_TRUE(executor().block_on(main));
  EXPECT_EQ(&executor().block_on(same(object)), &object);
}

TEST_F(Task, GivesWhatHasNoDefault) {
  const auto main = []() -> task<int> { co_return (co_await made(3)).value; };
  EXPECT_EQ(executor().block_on(main), 3);
  EXPECT_EQ(executor().block_on(made(4)).value, 4);
}

TEST_F(Task, GivesAggregatesAndContainersThatOwn) {
  const auto main = []() -> task<> {
    const owning_aggregate got = co_await aggregate();
    EXPECT_EQ(got.text, "text");
    EXPECT_EQ(*got.number, 5);
    const std::vector<int> numbers = co_await three();
    EXPECT_EQ(numbers.size(), 3u);
  };
  executor().block_on(main);
}

TEST_F(Task, GivesAValueThatIsAlignedAsItsTypeAsks) {
  const auto main = []() -> task<int> {
    int sum = 0;
    for (int i = 0; i != 3; ++i) {
      sum += (co_await aligned(i)).value;
    }
    co_return sum;
  };
  EXPECT_EQ(executor().block_on(main), 3);
}

TEST_F(Task, ConvertsWhatItReturns) {
  EXPECT_EQ(executor().block_on(converted()), "from a literal");
  EXPECT_EQ(executor().block_on(widened()), 1.0);
}

TEST_F(Task, IsLazy) {
  bool ran = false;
  const auto main = [&]() -> task<> {
    const auto body = [&]() -> task<> {
      ran = true;
      co_return;
    };
    task<> lazy = body();
    EXPECT_TRUE(lazy);
    EXPECT_FALSE(ran);
    co_await std::move(lazy);
    EXPECT_TRUE(ran);
    EXPECT_FALSE(lazy);
  };
  executor().block_on(main);
}

TEST_F(Task, ThatNeverRanIsDestroyedWithItsArguments) {
  const auto argument = std::make_shared<int>(1);
  {
    const task<> never = holding(argument);
    EXPECT_EQ(argument.use_count(), 2);
  }
  EXPECT_EQ(argument.use_count(), 1);
}

TEST_F(Task, WhoseAwaitIsGivenUpIsDestroyed) {
  const auto argument = std::make_shared<int>(1);
  {
    const auto awaiter = holding(argument).operator co_await();
    EXPECT_EQ(argument.use_count(), 2);
  }
  EXPECT_EQ(argument.use_count(), 1);
}

TEST_F(Task, DestroysItsFrameBeforeItsAwaiterGoesOn) {
  const auto argument = std::make_shared<int>(1);
  const auto main = [&]() -> task<> {
    task<> child = holding(argument);
    EXPECT_EQ(argument.use_count(), 2);
    co_await std::move(child);
    EXPECT_EQ(argument.use_count(), 1);
  };
  executor().block_on(main);
}

TEST_F(Task, ThrowsItsFailureToItsAwaiter) {
  const auto main = []() -> task<int> {
    int caught = 0;
    try {
      co_await failing(std::runtime_error("first"));
    } catch (const std::runtime_error& error) {
      caught += error.what() == std::string("first") ? 1 : 100;
    }
    try {
      co_await failing(17);
    } catch (int thrown) {
      caught += thrown;
    }
    try {
      co_await failing<const char*>("text");
    } catch (const char*) {
      ++caught;
    }
    co_return caught;
  };
  EXPECT_EQ(executor().block_on(main), 19);
  EXPECT_THROW(executor().block_on(failing(std::string("naked"))), std::string);
}

TEST_F(Task, FailsWhenItsValueCannotBeMoved) {
  EXPECT_THROW(executor().block_on(unmovable()), std::runtime_error);
}

TEST_F(Task, CarriesAFailureThroughEveryAwaiter) {
  const auto thrower = [](auto self, int depth) -> task<int> {
    if (depth == 0) {
      throw std::logic_error("deep");
    }
    co_return co_await self(self, depth - 1);
  };
  EXPECT_THROW(executor().block_on(thrower(thrower, 100)), std::logic_error);
}

TEST_F(Task, AwaitedTwiceIsAUsageError) {
  const auto main = []() -> task<> {
    task<int> once = number(1);
    EXPECT_EQ(co_await std::move(once), 1);
    EXPECT_THROW(co_await std::move(once), usage_error);
  };
  executor().block_on(main);
}

TEST_F(Task, ThatIsEmptyOrMovedFromCannotBeAwaited) {
  const auto main = []() -> task<> {
    task<int> empty;
    EXPECT_FALSE(empty);
    EXPECT_THROW(co_await std::move(empty), usage_error);
    task<int> from = number(2);
    task<int> to = std::move(from);
    EXPECT_FALSE(from);
    EXPECT_THROW(co_await std::move(from), usage_error);
    EXPECT_EQ(co_await std::move(to), 2);
  };
  executor().block_on(main);
  EXPECT_THROW(executor().block_on(task<int>()), usage_error);
}

TEST_F(Task, AssignedToDestroysWhatItHeld) {
  const auto argument = std::make_shared<int>(1);
  task<> held = holding(argument);
  held = nothing();
  EXPECT_EQ(argument.use_count(), 1);
  EXPECT_TRUE(held);
  held = task<>();
  EXPECT_FALSE(held);
}

TEST_F(Task, KeepsItsComputationWhenAssignedToItself) {
  task<int> same_one = number(9);
  task<int>& alias = same_one;
  same_one = std::move(alias);
  EXPECT_EQ(executor().block_on(std::move(same_one)), 9);
}

TEST_F(Task, Swaps) {
  task<int> a = number(1);
  task<int> b;
  a.swap(b);
  EXPECT_FALSE(a);
  EXPECT_EQ(executor().block_on(std::move(b)), 1);
}

TEST_F(Task, AwaitsItselfRecursively) {
  EXPECT_EQ(executor().block_on(sum_to(1000)), 500'500u);
}

TEST_F(Task, AwaitedInlineIsNoCancellationPoint) {
  bool child_ran = false;
  bool went_on = false;
  const auto child = [&]() -> task<> {
    child_ran = true;
    co_return;
  };
  const auto main = [&]() -> task<> {
    this_task::ref().cancel();
    co_await child();
    EXPECT_TRUE(child_ran);
    co_await checkpoint();
    went_on = true;
  };
  EXPECT_THROW(executor().block_on(main), task_cancelled);
  EXPECT_FALSE(went_on);
}

TEST_F(Task, StoppedDestroysTheFramesFromTheInnermostOutwards) {
  std::vector<int> order;
  struct mark {
    std::vector<int>& order;
    int depth;
    ~mark() { order.push_back(depth); }
  };
  const auto nested = [&](auto self, int depth) -> task<> {
    const mark here{order, depth};
    if (depth == 3) {
      this_task::ref().cancel();
      co_await checkpoint();
    }
    co_await self(self, depth + 1);
  };
  EXPECT_THROW(executor().block_on(nested(nested, 0)), task_cancelled);
  EXPECT_EQ(order, (std::vector<int>{3, 2, 1, 0}));
}

}  // namespace
}  // namespace coppice
