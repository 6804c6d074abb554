#include <coppice/asio.h>
#include <coppice/coppice.h>
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <thread>
#include <tuple>

#include "tests/support/asio_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

namespace asio = boost::asio;
using asio::ip::tcp;

class Asio : public testing_support::asio_test {};

INSTANTIATE_TEST_SUITE_P(Workers, Asio, testing::Values(1, 2, 4));

TEST_P(Asio, GivesWhatTheOperationGives) {
  rt.block_on([&]() -> task<> {
    std::array<char, 8> read{};
    const std::size_t written = co_await near.async_write_some(asio::buffer("leaf", 4), use_task);
    EXPECT_EQ(written, 4U);
    const std::size_t got = co_await far.async_read_some(asio::buffer(read), use_task);
    EXPECT_EQ(std::string(read.data(), got), "leaf");
  });
}

TEST_P(Asio, ComposedOperationsAndThoseOfTwoTasksGoOnSideBySide) {
  std::string all(100'000, 'x');
  std::string read(all.size(), ' ');
  rt.block_on([&]() -> task<> {
    const auto write = [&]() -> task<std::size_t> {
      co_return co_await asio::async_write(near, asio::buffer(all), use_task);
    };
    const auto take = [&]() -> task<std::size_t> {
      co_return co_await asio::async_read(far, asio::buffer(read), use_task);
    };
    const auto [out, in] = co_await gather(write(), take());
    EXPECT_EQ(out, all.size());
    EXPECT_EQ(in, all.size());
  });
  EXPECT_EQ(read, all);
}

TEST_P(Asio, AcceptsAndConnects) {
  tcp::acceptor acceptor(io.context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  tcp::socket client(io.get_executor());
  const auto connected = [&]() -> task<std::size_t> {
    co_await client.async_connect(acceptor.local_endpoint(), use_task);
    co_return co_await client.async_write_some(asio::buffer("x", 1), use_task);
  };
  const auto accepted = [&]() -> task<char> {
    tcp::socket server = co_await acceptor.async_accept(use_task);
    char byte = ' ';
    co_await server.async_read_some(asio::buffer(&byte, 1), use_task);
    co_return byte;
  };
  const auto both = [&]() -> task<std::tuple<std::size_t, char>> {
    co_return co_await gather(connected(), accepted());
  };
  EXPECT_EQ(rt.block_on(both), std::tuple(1U, 'x'));
}

TEST_P(Asio, AnErrorIsThrown) {
  far.close();
  const auto read = [&]() -> task<std::size_t> {
    char byte = ' ';
    co_return co_await near.async_read_some(asio::buffer(&byte, 1), use_task);
  };
  try {
    rt.block_on(read);
    FAIL() << "nobody is there";
  } catch (const boost::system::system_error& thrown) {
    EXPECT_EQ(thrown.code(), asio::error::eof);
  }
}

TEST_P(Asio, AnErrorIsAResultIfAskedForAsOne) {
  far.close();
  rt.block_on([&]() -> task<> {
    char byte = ' ';
    const auto [error, n] = co_await near.async_read_some(
        asio::buffer(&byte, 1), asio::as_tuple(use_task(io.get_executor())));
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_EQ(n, 0U);
  });
}

TEST_P(Asio, RunsOnTheExecutorItIsGivenAndNeverOnAWorker) {
  auto strand = asio::make_strand(io.get_executor());
  rt.block_on([&]() -> task<> {
    const std::thread::id worker = std::this_thread::get_id();
    bool in_strand = false;
    std::thread::id ran_on = worker;
    const auto initiation = [&](auto handler) {
      in_strand = strand.running_in_this_thread();
      ran_on = std::this_thread::get_id();
      asio::post(strand, [done = std::move(handler)]() mutable { done(); });
    };
    const auto token = use_task(strand);
    co_await asio::async_initiate<const decltype(token), void()>(initiation, token);
    EXPECT_TRUE(in_strand);
    EXPECT_NE(ran_on, worker);
  });
}

TEST_P(Asio, CoroutinesOfAsioAreAwaited) {
  const auto theirs = []() -> asio::awaitable<int> { co_return 7; };
  const auto ours = [&]() -> task<int> {
    co_return co_await asio::co_spawn(io.get_executor(), theirs, use_task);
  };
  EXPECT_EQ(rt.block_on(ours), 7);
}

TEST_P(Asio, AStopEndsTheOperationAndTheTask) {
  asio::steady_timer never(io.get_executor(), 1h);
  bool went_on = false;
  task_status status = task_status::pending;
  rt.block_on([&]() -> task<> {
    const auto wait = [&]() -> task<> {
      co_await never.async_wait(use_task);
      went_on = true;
    };
    task_handle<> waiting;
    co_await with_group([&](task_group& all) -> task<> {
      waiting = all.spawn(wait);
      co_await sleep_for(1ms);
      all.cancel();
    });
    status = waiting.status();
  });
  EXPECT_EQ(status, task_status::cancelled);
  EXPECT_FALSE(went_on);
}

TEST_P(Asio, TimeLimitsAndSelectReachIt) {
  asio::steady_timer never(io.get_executor(), 1h);
  rt.block_on([&]() -> task<> {
    const auto limited = co_await as_result(with_timeout(1ms, never.async_wait(use_task)));
    EXPECT_TRUE(limited.failed());
    char byte = ' ';
    const auto first =
        co_await select(near.async_read_some(asio::buffer(&byte, 1), use_task), sleep_for(1ms));
    EXPECT_EQ(first.index(), 1U);
  });
}

TEST_P(Asio, AComposedOperationIsStoppedBetweenItsParts) {
  std::string read(10, ' ');
  rt.block_on([&]() -> task<> {
    co_await near.async_write_some(asio::buffer("half", 4), use_task);
    const auto limited =
        co_await as_result(with_timeout(5ms, asio::async_read(far, asio::buffer(read), use_task)));
    EXPECT_TRUE(limited.failed());
    co_await near.async_write_some(asio::buffer("whole", 5), use_task);  // The socket is usable.
    const std::size_t n = co_await far.async_read_some(asio::buffer(read), use_task);
    EXPECT_GT(n, 0U);
  });
}

TEST_P(Asio, AnAbortThatNobodyAskedForIsAnError) {
  asio::steady_timer never(io.get_executor(), 1h);
  const auto wait = [&]() -> task<> {
    const auto abort = [&]() -> task<> {
      co_await sleep_for(1ms);
      co_await asio::post(io.get_executor(), use_task);
      never.cancel();
    };
    const auto aborting = spawn(abort);
    co_await never.async_wait(use_task);
  };
  try {
    rt.block_on(wait);
    FAIL() << "the timer was cancelled";
  } catch (const boost::system::system_error& thrown) {
    EXPECT_EQ(thrown.code(), asio::error::operation_aborted);
  }
}

TEST_P(Asio, BeastReadsAndWritesWhereItIsToldTheExecutor) {
  namespace http = boost::beast::http;
  const auto token = use_task(io.get_executor());
  rt.block_on([&]() -> task<> {
    const http::request<http::empty_body> sent{http::verb::get, "/leaf", 11};
    co_await http::async_write(near, sent, token);
    boost::beast::flat_buffer bytes;
    http::request<http::string_body> received;
    co_await http::async_read(far, bytes, received, token);
    EXPECT_EQ(received.target(), "/leaf");
    const auto limited =
        co_await as_result(with_timeout(1ms, http::async_read(far, bytes, received, token)));
    EXPECT_TRUE(limited.failed());
  });
}

TEST_P(Asio, ObjectsCanTakeTheTokenByDefault) {
  using limited_timer = use_task_t<>::as_default_on_t<asio::steady_timer>;
  limited_timer soon(io.get_executor());
  rt.block_on([&]() -> task<> {
    soon.expires_after(1us);
    co_await soon.async_wait();
  });
}

TEST_P(Asio, SeesThatThePeerHasGone) {
  const auto closed = [&]() -> task<> {
    const auto close = [&]() -> task<> {
      co_await asio::post(io.get_executor(), use_task);
      far.close();
    };
    co_await gather(until_disconnected(near), close());
  };
  rt.block_on(closed);
}

TEST_P(Asio, SeesThatThePeerHasGoneBehindWhatItSentLast) {
  rt.block_on([&]() -> task<> {
    co_await far.async_write_some(asio::buffer("last", 4), use_task);
    co_await asio::post(io.get_executor(), use_task);
    far.close();
    co_await until_disconnected(near, {.interval = 1us});
    std::array<char, 8> read{};
    const std::size_t n = co_await near.async_read_some(asio::buffer(read), use_task);
    EXPECT_EQ(n, 4U);
  });
}

TEST_P(Asio, AHalfClosedPeerIsThereIfItIsSaidToBe) {
  rt.block_on([&]() -> task<> {
    far.shutdown(socket::shutdown_send);
    co_await until_disconnected(near);
    const auto still = co_await as_result(
        with_timeout(5ms, until_disconnected(near, {.half_close = false, .interval = 1us})));
    EXPECT_TRUE(still.failed());
    far.close();
    co_await until_disconnected(near, {.half_close = false, .interval = 1us});
  });
}

}  // namespace
}  // namespace coppice
