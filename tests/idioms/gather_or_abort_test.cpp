// gather_or_abort, with a timeout and without: one fails, the others are cancelled and awaited.
#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class GatherOrAbort : public testing_support::idiom_test {};

INSTANTIATE_TEST_SUITE_P(Workers, GatherOrAbort, testing::Values(1u, 2u, 4u));

TEST_P(GatherOrAbort, GivesTheValuesInTheOrderOfItsArguments) {
  rt_.block_on([&]() -> task<> {
    const auto [slow, none, fast] =
        co_await gather_or_abort(value(3s, 30), sleeper("sleeper", 2s), value(1s, 10));
    EXPECT_EQ(slow, 30);
    EXPECT_EQ(none, std::monostate());
    EXPECT_EQ(fast, 10);
  });
  EXPECT_EQ(rt_.clock().elapsed(), 3s);
}

TEST_P(GatherOrAbort, ThrowsWhenTheOthersHaveEndedAndNotBefore) {
  rt_.block_on([&]() -> task<> {
    try {
      co_await gather_or_abort(sleeper("sleeper", 1h), slow_to_stop("slow", 2s),
                               failing(1s, "network down"));
    } catch (const std::runtime_error& error) {
      note(error.what());
    }
  });
  EXPECT_THAT(journal(), ElementsAre("1s sleeper stopped: sibling_failed", "3s network down"));
}

TEST_P(GatherOrAbort, ThrowsTheFirstFailureNakedAndReportsTheLaterOnes) {
  std::vector<task<>> all;
  all.push_back(failing(1s, "first"));
  all.push_back(failing_when_stopped("second"));
  all.push_back(failing_when_stopped("third"));
  all.push_back(sleeper("sleeper", 1h));
  const outcome<> end = rt_.block_on(
      [&]() -> task<outcome<>> { co_return co_await as_result(gather_or_abort(std::move(all))); });
  EXPECT_EQ(end.entry().message(), "first");
  EXPECT_EQ(end.entry().suppressed().size(), 2u);
  EXPECT_THAT(reports_.messages(), ElementsAre("second", "third"));
  for (const error_report& each : reports_.take()) {
    EXPECT_EQ(each.origin, error_origin::suppressed);
  }
}

TEST_P(GatherOrAbort, LeavesNothingThatWasNeverRetrieved) {
  rt_.block_on([&]() -> task<> {
    const outcome<std::tuple<int, int>> end =
        co_await as_result(gather_or_abort(value(1s, 1), [&]() -> task<int> {
          co_await failing(2s, "network down");
          co_return 2;
        }()));
    EXPECT_EQ(end.entry().message(), "network down");
    co_await sleep_for(1h);
  });
  EXPECT_EQ(reports_.size(), 0u);  // It was thrown: that was enough.
  EXPECT_TRUE(rt_.all_tasks().empty());
}

TEST_P(GatherOrAbort, StopsWithItsCallerAndTakesAllAlong) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> caller = spawn([&]() -> task<> {
      co_await gather_or_abort(sleeper("a", 1h), slow_to_stop("b", 2s));
      note("not reached");
    });
    co_await sleep_for(1s);
    co_await cancel_and_wait(caller, "closing down");
    EXPECT_EQ(caller.status(), task_status::cancelled);
    note("all ended");
  });
  EXPECT_THAT(journal(), ElementsAre("1s a stopped: closing down", "3s all ended"));
}

// ---- With a timeout -----------------------------------------------------------------------------

TEST_P(GatherOrAbort, InTimeItGivesTheValues) {
  rt_.block_on([&]() -> task<> {
    const auto [a, b] = co_await with_timeout(5s, gather_or_abort(value(1s, 1), value(2s, 2)));
    EXPECT_EQ(a + b, 3);
  });
  EXPECT_EQ(rt_.clock().elapsed(), 2s);
}

TEST_P(GatherOrAbort, AtTheTimeoutAllAreCancelledAndAwaitedBeforeItThrows) {
  rt_.block_on([&]() -> task<> {
    try {
      co_await with_timeout(5s, gather_or_abort(sleeper("sleeper", 1h), slow_to_stop("slow", 2s)));
    } catch (const timeout_error& late) {
      EXPECT_EQ(late.limit(), 5s);
      note("too late");
    }
  });
  EXPECT_THAT(journal(), ElementsAre("5s sleeper stopped: deadline", "7s too late"));
}

TEST_P(GatherOrAbort, AFailureBeforeTheTimeoutIsTheOneThatIsThrown) {
  const auto main = [&]() -> task<> {
    co_await with_timeout(5s, gather_or_abort(sleeper("sleeper", 1h), failing(1s, "network down")));
  };
  const outcome<> end =
      rt_.block_on([&]() -> task<outcome<>> { co_return co_await as_result(main()); });
  EXPECT_EQ(end.entry().message(), "network down");
  EXPECT_EQ(rt_.clock().elapsed(), 1s);
}

TEST_P(GatherOrAbort, AFailureInACleanupAfterTheTimeoutWinsOverIt) {
  const auto main = [&]() -> task<> {
    co_await with_timeout(
        5s, gather_or_abort(sleeper("sleeper", 1h), failing_when_stopped("not saved")));
  };
  const outcome<> end =
      rt_.block_on([&]() -> task<outcome<>> { co_return co_await as_result(main()); });
  EXPECT_EQ(end.entry().message(), "not saved");
  ASSERT_NE(end.entry().context(), nullptr);
  EXPECT_EQ(end.entry().context()->kind(), cancel_kind::deadline);
}

}  // namespace
}  // namespace coppice
