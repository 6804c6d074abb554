// Tests race_success: the first to succeed decides, whatever fails before it.
#include <coppice/exception_group.h>
#include <coppice/race.h>
#include <coppice/shield.h>
#include <coppice/spawn.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/support/joining.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::count_stop;
using testing_support::end_after;
using testing_support::fail_after;
using testing_support::fail_at_once;
using testing_support::fail_when_stopped;
using testing_support::give;
using testing_support::give_after;
using testing_support::messages_of;
using testing_support::report_log;
using testing_support::sleep_marked;

class RaceSuccess : public testing_support::with_workers {};

INSTANTIATE_TEST_SUITE_P(Workers, RaceSuccess, testing::Values(1u, 2u, 4u));

template <class Entries>
std::vector<std::string> texts_of(const Entries& entries) {
  std::vector<std::string> texts;
  for (const error_entry& each : entries) {
    texts.push_back(each.message());
  }
  return texts;
}

TEST_P(RaceSuccess, GivesTheFirstValue) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto [index, value, errors] =
        co_await race_success(give_after(2ms, 1), give_after(1ms, 2));
    EXPECT_EQ(index, 1u);
    EXPECT_EQ(value, 2);
    EXPECT_THAT(errors, IsEmpty());
  });
}

TEST_P(RaceSuccess, GivesTheFailuresBeforeItInTheirOrder) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    const auto won = co_await race_success(fail_after(2ms, "second"), fail_after(1ms, "first"),
                                           give_after(3ms, 7), fail_after(4ms, "never"));
    EXPECT_EQ(won.index, 2u);
    EXPECT_EQ(won.value, 7);
    EXPECT_THAT(texts_of(won.errors), ElementsAre("first", "second"));
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(RaceSuccess, CancelsTheRestAndReportsTheirFailures) {
  std::atomic<int> stops{0};
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto won = co_await race_success(count_stop(stops), fail_when_stopped("later", 1ms),
                                           give_after(3ms, 7));
    EXPECT_EQ(won.value, 7);
    EXPECT_THAT(won.errors, IsEmpty());
    EXPECT_EQ(stops.load(), 1);
    EXPECT_EQ(test_clock().elapsed(), 4ms);
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("later"));
}

TEST_P(RaceSuccess, ThrowsAllFailuresAsAGroupInTheirOrder) {
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    const auto end = co_await as_result(race_success(
        fail_after(3ms, "third"), fail_after(1ms, "first"), fail_after(2ms, "second")));
    const auto* group = end.entry().get_if<exception_group>();
    EXPECT_NE(group, nullptr);
    EXPECT_THAT(group == nullptr ? std::vector<std::string>() : texts_of(group->exceptions()),
                ElementsAre("first", "second", "third"));
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(RaceSuccess, A9AFatalFailureLeavesAsItIsAtOnce) {
  report_log log;
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  const auto fatal = [](duration when) -> task<int> {
    co_await shield(sleep_for(when));
    throw fatal_error("no more");
  };
  rt.block_on([&]() -> task<> {
    const auto end = co_await as_result(
        race_success(fail_after(1ms, "before"), fatal(2ms), count_stop(stops, 1h, 5)));
    EXPECT_NE(end.entry().get_if<fatal_error>(), nullptr);
    EXPECT_EQ(stops.load(), 1);
    EXPECT_EQ(test_clock().elapsed(), 2ms);
    const auto beaten = co_await as_result(race_success(count_stop(stops, 1ms, 5), fatal(2ms)));
    EXPECT_NE(beaten.entry().get_if<fatal_error>(), nullptr) << "though the other has won";
  });
  EXPECT_THAT(messages_of(log.take(), error_origin::suppressed), ElementsAre("before"));
}

TEST_P(RaceSuccess, AFailureCancelsNobody) {
  std::atomic<int> stops{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto won = co_await race_success(fail_at_once("first"), count_stop(stops, 1h, 5));
    EXPECT_EQ(won.value, 5);
    EXPECT_EQ(stops.load(), 0);
  });
  EXPECT_EQ(rt.clock().elapsed(), 1h);
}

TEST_P(RaceSuccess, OfOneThatFailsThrowsAGroupOfOne) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto end = co_await as_result(race_success(fail_after(1ms, "only")));
    const auto* group = end.entry().get_if<exception_group>();
    EXPECT_TRUE(group != nullptr && group->exceptions().size() == 1);
  });
}

TEST_P(RaceSuccess, GivesAVariantForDifferentTypes) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto won = co_await race_success(fail_after(1ms, "first"), end_after(2ms),
                                           give_after(3ms, std::string("late")));
    EXPECT_EQ(won.index, 1u);
    EXPECT_EQ(won.value.index(), 1u);
    EXPECT_EQ(std::get<1>(won.value), std::monostate{});
  });
}

TEST_P(RaceSuccess, TakesARange) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    for (int i = 0; i != 6; ++i) {
      tasks.push_back(i < 3 ? fail_after((3 - i) * 1ms, std::to_string(i))
                            : give_after((10 - i) * 1ms, i));
    }
    const auto won = co_await race_success(tasks);
    EXPECT_EQ(won.index, 5u);
    EXPECT_EQ(won.value, 5);
    EXPECT_THAT(texts_of(won.errors), ElementsAre("2", "1", "0"));
  });
}

TEST_P(RaceSuccess, OfAnEmptyRangeIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await race_success(std::vector<task<int>>()), usage_error);
  });
}

TEST_P(RaceSuccess, PassesOverOneThatWasCancelledByItself) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> cancelled = spawn(give_after(1h, 1));
    cancelled.cancel();
    const auto won = co_await race_success(cancelled, give_after(1ms, 2));
    EXPECT_EQ(won.index, 1u);
    EXPECT_THAT(won.errors, IsEmpty());
  });
}

TEST_P(RaceSuccess, ThrowsTaskCancelledIfAllWereCancelled) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const task_handle<int> cancelled = spawn(give_after(1h, 1));
    cancelled.cancel();
    EXPECT_THROW(co_await race_success(cancelled), task_cancelled);
  });
}

TEST_P(RaceSuccess, StopsWithItsCaller) {
  std::atomic<int> live{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = co_await with_scope({.timeout = 1ms}, [&]() -> task<> {
      co_await race_success(sleep_marked(live), sleep_marked(live));
      ADD_FAILURE() << "went on";
    });
    EXPECT_TRUE(seen.cancelled_caught);
    EXPECT_EQ(live.load(), 0);
  });
}

}  // namespace
}  // namespace coppice
