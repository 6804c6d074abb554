#include <coppice/detail/joining.h>
#include <coppice/error.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <vector>

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

TEST(Joining, TurnsGiveEachElementOnceWithItsIndex) {
  std::vector<int> numbers{4, 5, 6};
  turns<std::vector<int>&> left(numbers);
  const auto pair = [](int& each, std::size_t i) { return std::pair<std::size_t, int>(i, each); };
  std::vector<std::pair<std::size_t, int>> taken;
  while (const auto next = left.take(pair)) {
    taken.push_back(*next);
  }
  EXPECT_EQ(taken, (std::vector<std::pair<std::size_t, int>>{{0, 4}, {1, 5}, {2, 6}}));
}

TEST(Joining, ALimitOfNothingIsAUsageError) {
  EXPECT_THROW(require_lanes(0, "gather"), usage_error);
  EXPECT_NO_THROW(require_lanes(1, "gather"));
}

TEST(Joining, AHandlesEndIsThatOfItsTask) {
  const auto cancelled = outcome<int>::failed_with(
      error_entry(std::make_exception_ptr(task_cancelled(cancel_reason("enough"), task_id{7}))));
  const outcome<int> end = outcome_of_task(cancelled);
  EXPECT_TRUE(end.cancelled());
  EXPECT_EQ(end.reason().message(), "enough");
}

TEST(Joining, OfATaskThatHoldsNothingFailsWhenItRuns) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    task<int> empty;
    auto child = child_of(std::move(empty));
    EXPECT_THROW(co_await std::move(child), usage_error);
  });
}

}  // namespace
}  // namespace coppice::detail
