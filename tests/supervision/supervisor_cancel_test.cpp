// A supervisor absorbs its own cancel and lets one from above go on.
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::sleeper;

class SupervisorCancel : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, SupervisorCancel, testing::Values(1u, 2u, 4u));

TEST_P(SupervisorCancel, A5AbsorbsItsOwnCancel) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      child = s.spawn(sleeper(1h));
      co_await sleep_for(1s);
      s.cancel("enough");
      s.cancel("a second reason");
      co_await sleep_for(1h);
      ADD_FAILURE() << "the body goes on";
    });
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(child.result().reason().message(), "enough");
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

TEST_P(SupervisorCancel, ABodyWithAValueThatWasStoppedThrowsTaskCancelled) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = [](supervisor& s) -> task<int> {
      s.cancel("enough");
      co_await checkpoint();
      co_return 1;
    };
    EXPECT_THROW((void)co_await with_supervisor(body), task_cancelled);
    const outcome<int> seen = co_await as_result(with_supervisor(body));
    EXPECT_TRUE(seen.cancelled());
    EXPECT_EQ(seen.reason().message(), "enough");
  });
}

TEST_P(SupervisorCancel, AValueThatWasReadyIsGivenThoughItWasCancelled) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const int value = co_await with_supervisor([](supervisor& s) -> task<int> {
      s.spawn(sleeper(1h));
      s.cancel("enough");
      co_return 1;
    });
    EXPECT_EQ(value, 1);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(SupervisorCancel, A5LetsACancelFromAboveGoOnThroughIt) {
  std::atomic<bool> went_on{false};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    const auto hosting = [&]() -> task<> {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        child = s.spawn(sleeper(1h));
        co_await sleep_for(1h);
      });
      went_on = true;
    };
    const task_handle<> host = spawn(hosting);
    co_await sleep_for(1s);
    host.cancel("from above");
    EXPECT_THROW(co_await host, task_cancelled);
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(child.result().reason().message(), "from above");
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  EXPECT_FALSE(went_on.load());
}

TEST_P(SupervisorCancel, ItsDeadlineEndsIt) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      child = s.spawn(sleeper(1h));
      s.reschedule_after(5s);
      co_await sleep_for(1h);
    });
    EXPECT_EQ(test_clock().elapsed(), 5s);
    EXPECT_EQ(child.result().reason().kind(), cancel_kind::deadline);
  });
}

}  // namespace
}  // namespace coppice
