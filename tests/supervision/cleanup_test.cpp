// with_cleanup: the cleanup runs at every end of the body, shielded, for a limited time, and loses no failure.
#include <coppice/cleanup.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::fail_after;
using testing_support::failing;
using testing_support::number_after;
using testing_support::report_log;
using testing_support::sleeper;

class Cleanup : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, Cleanup, testing::Values(1u, 2u, 4u));

using events = std::vector<std::string>;

// ---- At every end -------------------------------------------------------------------------------

TEST_P(Cleanup, RunsAfterTheBodyAndTheBodysValueIsGiven) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = [&]() -> task<int> {
      co_await sleep_for(1s);
      order.emplace_back("body");
      co_return 7;
    };
    const auto cleanup = [&]() -> task<> {
      co_await sleep_for(1s);
      order.emplace_back("cleanup");
    };
    const int value = co_await with_cleanup(body, cleanup);
    order.emplace_back("behind");
    EXPECT_EQ(value, 7);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
  EXPECT_THAT(order, ElementsAre("body", "cleanup", "behind"));
}

TEST_P(Cleanup, MayBePlainCodeAndTheBodyATask) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    bool cleaned = false;
    const int value = co_await with_cleanup(number_after(1s, 7), [&] { cleaned = true; });
    EXPECT_EQ(value, 7);
    EXPECT_TRUE(cleaned);
  });
}

TEST_P(Cleanup, RunsWhenTheBodyFails) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    bool cleaned = false;
    const auto cleanup = [&]() -> task<> {
      co_await yield();
      cleaned = true;
    };
    EXPECT_THROW(co_await with_cleanup(fail_after(1s, "body"), cleanup), std::runtime_error);
    EXPECT_TRUE(cleaned);
  });
}

TEST_P(Cleanup, A16RunsShieldedWhenTheBodyIsStopped) {
  std::atomic<bool> cleaned{false};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto cleanup = [&]() -> task<> {
      EXPECT_FALSE(cancel_requested()) << "it is shielded";
      co_await sleep_for(2s);
      cleaned = true;
    };
    const auto work = [&]() -> task<> {
      co_await with_cleanup(sleeper(1h), cleanup);
      ADD_FAILURE() << "the stop goes on behind the cleanup";
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(1s);
    child.cancel("not wanted");
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(child.result().reason().message(), "not wanted");
    EXPECT_EQ(test_clock().elapsed(), 3s);
  });
  EXPECT_TRUE(cleaned.load());
}

TEST_P(Cleanup, RunsAlsoIfTheRequestCameBeforeTheBody) {
  std::atomic<int> cleaned{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      this_task::ref().cancel();
      co_await with_cleanup(sleeper(1h), [&] { cleaned.fetch_add(1); });
    };
    const task_handle<> child = spawn(work);
    EXPECT_THROW(co_await child, task_cancelled);
  });
  EXPECT_EQ(cleaned.load(), 1) << "beginning it is no cancellation point";
}

TEST_P(Cleanup, ARequestWhileItRunsIsDeliveredBehindIt) {
  std::atomic<bool> cleaned{false};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto cleanup = [&]() -> task<> {
      co_await sleep_for(3s);
      cleaned = true;
    };
    const auto work = [&]() -> task<> {
      co_await with_cleanup(sleeper(1s), cleanup);
      co_await checkpoint();
      ADD_FAILURE() << "it is stopped at the first point behind";
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(2s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(test_clock().elapsed(), 4s);
  });
  EXPECT_TRUE(cleaned.load());
}

TEST_P(Cleanup, InOneAnotherTheInnermostIsFirst) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto inner = [&]() -> task<> {
      co_await with_cleanup(sleeper(1h), [&] { order.emplace_back("inner"); });
    };
    const auto middle = [&]() -> task<> {
      co_await with_cleanup(inner, [&] { order.emplace_back("middle"); });
    };
    const auto outer = [&]() -> task<> {
      co_await with_cleanup(middle, [&] { order.emplace_back("outer"); });
    };
    const task_handle<> child = spawn(outer);
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
  });
  EXPECT_THAT(order, ElementsAre("inner", "middle", "outer"));
}

TEST_P(Cleanup, A16WhatBothUseLiesInTheCallersFrame) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = []() -> task<> {
      const auto resource = std::make_unique<std::string>("open");
      const auto body = [&]() -> task<> {
        *resource = "used";
        co_await sleep_for(1h);
      };
      const auto cleanup = [&]() -> task<> {
        co_await sleep_for(1s);
        EXPECT_EQ(*resource, "used");
      };
      co_await with_cleanup(body, cleanup);
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
  });
}

TEST_P(Cleanup, A16EndsBeforeItsScopeDoes) {
  std::atomic<bool> cleaned{false};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto cleanup = [&]() -> task<> {
      co_await sleep_for(2s);
      cleaned = true;
    };
    const auto work = [&]() -> task<> { co_await with_cleanup(sleeper(1h), cleanup); };
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn(work);
      co_await sleep_for(1s);
      s.cancel();
    });
    EXPECT_TRUE(cleaned.load());
    EXPECT_EQ(test_clock().elapsed(), 3s);
  });
}

// ---- Its grace ----------------------------------------------------------------------------------

TEST_P(Cleanup, A16IsStoppedAfterItsGraceAndThatIsReported) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto cleanup = []() -> task<> {
      co_await sleep_for(1h);
      ADD_FAILURE() << "it has been stopped";
    };
    const auto work = [&]() -> task<> {
      co_await with_cleanup({.grace = 3s}, sleeper(1h), cleanup);
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(test_clock().elapsed(), 4s);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].origin, error_origin::cleanup);
}

TEST_P(Cleanup, HasFiveSecondsByDefault) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto quick = []() -> task<> { co_await sleep_for(5s - 1ms); };
    const auto slow = []() -> task<> { co_await sleep_for(1h); };
    const task_handle<> in_time =
        spawn([&]() -> task<> { co_await with_cleanup(sleeper(1h), quick); });
    co_await sleep_for(1s);
    in_time.cancel();
    EXPECT_THROW(co_await in_time, task_cancelled);
    EXPECT_EQ(log.size(), 0u);
    const task_handle<> late = spawn([&]() -> task<> { co_await with_cleanup(sleeper(1h), slow); });
    co_await sleep_for(1s);
    const duration before = test_clock().elapsed();
    late.cancel();
    EXPECT_THROW(co_await late, task_cancelled);
    EXPECT_EQ(test_clock().elapsed() - before, 5s);
    EXPECT_EQ(log.size(), 1u);
  });
}

// ---- Its failures -------------------------------------------------------------------------------

TEST_P(Cleanup, ItsFailureIsThrownIfTheBodyGaveAValue) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto cleanup = [] { throw std::invalid_argument("cleanup"); };
    EXPECT_THROW((void)co_await with_cleanup(number_after(1s, 7), cleanup), std::invalid_argument);
  });
  EXPECT_EQ(log.size(), 0u) << "it was thrown";
}

TEST_P(Cleanup, A16ItsFailureBesideTheBodysIsSuppressedAndReported) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto cleanup = []() -> task<> { co_await failing("cleanup"); };
    const outcome<> seen = co_await as_result(with_cleanup(fail_after(1s, "body"), cleanup));
    EXPECT_TRUE(seen.failed());
    EXPECT_EQ(seen.entry().message(), "body");
    EXPECT_EQ(seen.entry().suppressed().size(), 1u);
    for (const error_entry& each : seen.entry().suppressed()) {
      EXPECT_EQ(each.message(), "cleanup");
    }
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.message(), "cleanup");
  EXPECT_EQ(reports[0].origin, error_origin::cleanup);
}

TEST_P(Cleanup, A16ItsFailureWhileStoppedMakesTheTaskFailedWithContext) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      const auto cleanup = []() -> task<> { co_await fail_after(1s, "the file is closed"); };
      child = s.spawn([cleanup]() -> task<> { co_await with_cleanup(sleeper(1h), cleanup); });
      co_await sleep_for(1s);
      child.cancel("not wanted");
    });
    EXPECT_EQ(child.status(), task_status::failed);
    EXPECT_EQ(child.result().entry().message(), "the file is closed");
    const cancel_reason* const context = child.result().entry().context();
    EXPECT_TRUE(context != nullptr && context->message() == "not wanted");
  });
  EXPECT_THAT(log.messages(), ElementsAre("the file is closed"));
}

TEST_P(Cleanup, A16AFailureWhileStoppedBeatsTheStopOfAGroup) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto cleanup = [] { throw std::invalid_argument("cleanup"); };
    const auto work = [&]() -> task<> { co_await with_cleanup(sleeper(1h), cleanup); };
    const auto body = [&](task_group& g) -> task<> {
      g.spawn(work);
      g.spawn(fail_after(1s, "first"));
      co_return;
    };
    const outcome<> seen = co_await as_result(with_group(body));
    const auto* const group = seen.entry().get_if<exception_group>();
    EXPECT_TRUE(group != nullptr);
    if (group != nullptr) {
      EXPECT_EQ(group->leaf_count(), 2u);
      EXPECT_EQ(group->exceptions()[0].message(), "first");
      EXPECT_EQ(group->exceptions()[1].message(), "cleanup");
      EXPECT_NE(group->exceptions()[1].context(), nullptr);
    }
  });
}

}  // namespace
}  // namespace coppice
