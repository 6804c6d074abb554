// Senders in tasks, tasks as senders, and the scheduler; where there is a library of senders to try them with.
#include <version>

#if defined(__cpp_lib_senders) || __has_include(<stdexec/execution.hpp>)

#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/senders.h>
#include <coppice/shield.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>

namespace coppice {
namespace {

using namespace std::chrono_literals;

namespace ex = detail::senders;

class Senders : public testing::TestWithParam<unsigned> {
 protected:
  runtime rt_{options{.threads = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Workers, Senders, testing::Values(1u, 2u, 4u));

TEST_P(Senders, GiveATaskWhatTheySend) {
  rt_.block_on([]() -> task<> {
    auto nothing = ex::just();
    co_await from_sender(nothing);
    auto one = ex::just(7);
    const int seven = co_await from_sender(one);
    EXPECT_EQ(seven, 7);
    auto two = ex::just(7, std::string("text"));
    const std::tuple<int, std::string> both = co_await from_sender(two);
    EXPECT_EQ(std::get<1>(both), "text");
  });
}

TEST_P(Senders, GiveATaskTheirErrors) {
  rt_.block_on([]() -> task<> {
    auto thrown = ex::just() | ex::then([]() -> int { throw std::out_of_range("sent"); });
    EXPECT_THROW(co_await from_sender(thrown), std::out_of_range);
    auto code = ex::just_error(std::make_error_code(std::errc::timed_out));
    EXPECT_THROW(co_await from_sender(code), std::system_error);
  });
}

TEST_P(Senders, OnTheSchedulerRunOnAWorker) {
  rt_.block_on([this]() -> task<> {
    const runtime_scheduler scheduler(rt_);
    EXPECT_EQ(scheduler, runtime_scheduler(rt_));
    std::atomic<bool> on_worker = false;
    auto look =
        ex::schedule(scheduler) | ex::then([&] { on_worker = detail::this_worker() != nullptr; });
    co_await from_sender(look);
    EXPECT_TRUE(on_worker);
  });
}

TEST_P(Senders, APlainThreadWaitsForWhatIsScheduled) {
  const auto caller = std::this_thread::get_id();
  auto add = ex::schedule(runtime_scheduler(rt_)) |
             ex::then([&] { return std::this_thread::get_id() != caller; });
  const auto apart = ex::sync_wait(std::move(add));
  ASSERT_TRUE(apart);
  EXPECT_TRUE(std::get<0>(*apart));
}

task<int> seven_later() {
  co_await sleep_for(1ms);
  co_return 7;
}

task<int> failing() {
  co_await sleep_for(1ms);
  throw std::out_of_range("task");
}

task<int> never() {
  co_await sleep_for(1h);
  co_return 0;
}

TEST_P(Senders, ATaskSendsItsValue) {
  rt_.block_on([]() -> task<> {
    const auto body = [](task_group& group) -> task<> {
      auto sender = to_sender(group.handle(), seven_later);
      const int once = co_await from_sender(sender);
      auto more = sender | ex::then([](int seven) { return seven + 1; });
      const int again = co_await from_sender(more);
      EXPECT_EQ(once + again, 15);
      auto quiet = to_sender(group.handle(), []() -> task<> { co_return; });
      co_await from_sender(quiet);
      auto owned = to_sender(group.handle(), []() -> task<std::unique_ptr<int>> {
        co_return std::make_unique<int>(9);
      });
      const std::unique_ptr<int> nine = co_await from_sender(owned);
      EXPECT_EQ(*nine, 9);
    };
    co_await with_group(body);
  });
}

TEST_P(Senders, ATaskSendsItsFailureAndTheScopeHearsNothing) {
  rt_.block_on([]() -> task<> {
    const auto body = [](task_group& group) -> task<> {
      auto sender = to_sender(group.handle(), failing);
      EXPECT_THROW(co_await from_sender(sender), std::out_of_range);
    };
    co_await with_group(body);
  });
}

TEST_P(Senders, AStopOfWhoWaitsReachesTheTask) {
  rt_.block_on([]() -> task<> {
    const auto body = [](task_group& group) -> task<> {
      const auto wait = [&]() -> task<> {
        auto sender = to_sender(group.handle(), never);
        co_await from_sender(sender);
        ADD_FAILURE() << "went on";
      };
      const bool finished = co_await move_on_after(1ms, wait);
      EXPECT_FALSE(finished);
      EXPECT_FALSE(group.cancelled());
    };
    co_await with_group(body);
  });
}

TEST_P(Senders, ATaskWhoseScopeStopsSaysThatItWasStopped) {
  rt_.block_on([]() -> task<> {
    std::atomic<bool> told = false;
    const auto body = [&](task_group& group) -> task<> {
      group.cancel();
      auto sender = to_sender(group.handle(), never) | ex::then([](int) { return false; }) |
                    ex::upon_stopped([&] { return true; });
      const auto look = [&]() -> task<> { told = co_await from_sender(sender); };
      co_await shield(look);
    };
    co_await with_group(body);
    EXPECT_TRUE(told);
  });
}

TEST_P(Senders, AScopeThatHasEndedRefuses) {
  rt_.block_on([]() -> task<> {
    scope_handle ended;
    const auto body = [&](task_group& group) -> task<> {
      ended = group.handle();
      co_return;
    };
    co_await with_group(body);
    auto sender = to_sender(ended, never);
    EXPECT_THROW(co_await from_sender(sender), scope_closed);
  });
}

}  // namespace
}  // namespace coppice

#else

#include <gtest/gtest.h>

TEST(Senders, AreTriedWhereThereAreSome) {
  GTEST_SKIP() << "neither std::execution nor stdexec is on the include path";
}

#endif
