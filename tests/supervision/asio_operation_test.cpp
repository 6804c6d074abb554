#include <coppice/coppice.h>
#include <coppice/detail/asio_operation.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "tests/support/asio_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

namespace asio = boost::asio;

class AsioOperation : public testing_support::asio_test {};

INSTANTIATE_TEST_SUITE_P(Workers, AsioOperation, testing::Values(1, 2, 4));

// Completes as it is told, with whatever the signature has.
template <class Signature, class... Results>
auto completes_with(asio::io_context::executor_type on, Results... results) {
  const auto token = use_task(on);
  return asio::async_initiate<const decltype(token), Signature>(
      [on](auto handler, auto... given) {
        asio::post(on, [done = std::move(handler), given...]() mutable { done(given...); });
      },
      token, results...);
}

TEST_P(AsioOperation, SeveralResultsAreATupleAndNoneIsVoid) {
  const auto ex = io.get_executor();
  rt.block_on([&]() -> task<> {
    co_await completes_with<void()>(ex);
    const int one = co_await completes_with<void(int)>(ex, 1);
    EXPECT_EQ(one, 1);
    const auto two = co_await completes_with<void(int, std::string)>(ex, 2, std::string("two"));
    EXPECT_EQ(two, std::tuple(2, std::string("two")));
    const auto three = co_await completes_with<void(boost::system::error_code, int, char)>(
        ex, boost::system::error_code(), 3, 'c');
    EXPECT_EQ(three, std::tuple(3, 'c'));
    co_await completes_with<void(std::exception_ptr)>(ex, std::exception_ptr());
  });
}

TEST_P(AsioOperation, AnExceptionIsThrown) {
  const auto fails = [&]() -> task<int> {
    co_return co_await completes_with<void(std::exception_ptr, int)>(
        io.get_executor(), std::make_exception_ptr(std::out_of_range("too far")), 0);
  };
  EXPECT_THROW(rt.block_on(fails), std::out_of_range);
}

TEST_P(AsioOperation, WhatInitiatingThrowsIsThrown) {
  const auto fails = [&]() -> task<> {
    const auto token = use_task(io.get_executor());
    const auto initiation = [](auto) { throw std::length_error("no room"); };
    co_await asio::async_initiate<const decltype(token), void()>(initiation, token);
  };
  EXPECT_THROW(rt.block_on(fails), std::length_error);
}

TEST_P(AsioOperation, StoppedBeforeItIsAwaitedItDoesNotBegin) {
  bool initiated = false;
  rt.block_on([&]() -> task<> {
    const auto token = use_task(io.get_executor());
    const auto initiation = [&](auto handler) {
      initiated = true;
      std::move(handler)();
    };
    const auto body = [&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await asio::async_initiate<const decltype(token), void()>(initiation, token);
    };
    co_await with_scope(body);
  });
  EXPECT_FALSE(initiated);
}

// Asked to end, it says that it has ended in another way.
TEST_P(AsioOperation, WhatItGivesAllTheSameIsDelivered) {
  const auto ex = io.get_executor();
  const auto unmoved = [&](auto handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    slot.assign([kept, ex, slot](asio::cancellation_type) {
      asio::post(ex, [kept, slot]() mutable {
        slot.clear();  // Which holds the handler, which holds it.
        std::move (*kept)(boost::system::error_code(), 42);
      });
    });
  };
  std::optional<int> delivered;
  rt.block_on([&]() -> task<> {
    const auto token = use_task(ex);
    const auto body = [&](cancel_scope& scope) -> task<> {
      const auto ask = [&]() -> task<> {
        co_await sleep_for(1ms);
        scope.cancel();
      };
      const auto asking = spawn(ask);
      delivered =
          co_await asio::async_initiate<const decltype(token),
                                        void(boost::system::error_code, int)>(unmoved, token);
    };
    co_await with_scope(body);
  });
  EXPECT_EQ(delivered, 42);
}

// On one worker, so that it waits when the other task goes on.
TEST(AsioOperationAlone, AnExecutorThatHasEndedFailsTheTask) {
  auto never_run = std::make_unique<asio::io_context>();
  runtime rt({.threads = 1});
  rt.block_on([&]() -> task<> {
    const auto wait = [&]() -> task<> {
      const auto token = use_task(never_run->get_executor());
      const auto initiation = [](auto handler) { std::move(handler)(); };
      co_await asio::async_initiate<const decltype(token), void()>(initiation, token);
    };
    const auto waiting = spawn(wait);
    while (waiting.status() != task_status::suspended) {
      co_await yield();
    }
    never_run.reset();
    const auto ended = co_await as_result(waiting);
    EXPECT_TRUE(ended.failed());
    EXPECT_TRUE(ended.failed() && ended.entry().get_if<usage_error>() != nullptr);
  });
}

}  // namespace
}  // namespace coppice
