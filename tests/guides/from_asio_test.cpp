// What examples/guides/from_asio.md shows, run.
#include <coppice/asio.h>
#include <coppice/coppice.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

namespace guides {
namespace {

// ---- Shown --------------------------------------------------------------------------------------

namespace asio = boost::asio;
namespace co = coppice;
using asio::ip::tcp;
using namespace std::chrono_literals;

co::task<std::string> read_line(tcp::socket& from) {
  std::string line;
  const std::size_t size =
      co_await asio::async_read_until(from, asio::dynamic_buffer(line), '\n', co::use_task);
  co_return line.substr(0, size - 1);
}

co::task<> write_line(tcp::socket& to, std::string line) {
  line += '\n';
  co_await asio::async_write(to, asio::buffer(line), co::use_task);
}

// On all cores, while the client may go at any time.
co::task<std::uint64_t> compute(unsigned n) {
  if (n < 2) {
    co_return n;
  }
  const auto [x, y] = co_await co::gather(compute(n - 1), compute(n - 2));
  co_return x + y;
}

co::task<> answer(tcp::socket& client) {
  const std::string question = co_await co::with_timeout(5s, read_line(client));
  const std::uint64_t result = co_await compute(static_cast<unsigned>(std::stoul(question)));
  co_await write_line(client, std::to_string(result));
}

co::task<> serve_one(tcp::socket client) {
  co_await co::race(answer(client), co::until_disconnected(client));
}

co::task<> serve(tcp::acceptor& acceptor) {
  const auto accept_all = [&](co::supervisor& clients) -> co::task<> {
    for (;;) {
      clients.spawn({.name = "client"}, serve_one(co_await acceptor.async_accept(co::use_task)));
    }
  };
  co_await co::with_supervisor({.name = "server"}, accept_all);
}

co::task<std::string> ask(tcp::endpoint server, asio::any_io_executor io, std::string question) {
  tcp::socket socket(io);
  co_await socket.async_connect(server, co::use_task);
  co_await write_line(socket, std::move(question));
  co_return co_await read_line(socket);
}

co::task<std::string> why_it_failed(asio::any_io_executor io) {
  tcp::socket socket(io);
  const auto nobody = tcp::endpoint(asio::ip::address_v4::loopback(), 1);
  const auto [error] =
      co_await socket.async_connect(nobody, asio::as_tuple(co::use_task(socket.get_executor())));
  co_return error.message();
}

co::task<bool> first_of(asio::any_io_executor io) {
  asio::steady_timer soon(io, 1ms);
  asio::steady_timer late(io, 1h);
  const auto first =
      co_await co::race(soon.async_wait(co::use_task), late.async_wait(co::use_task));
  co_return first.index == 0;
}

// ---- Run ----------------------------------------------------------------------------------------

class FromAsio : public testing::TestWithParam<unsigned> {
 protected:
  co::io_thread io_;
  co::runtime rt_{co::options{.threads = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Workers, FromAsio, testing::Values(1u, 2u, 4u));

TEST_P(FromAsio, AServerAnswersUntilItIsCancelled) {
  rt_.block_on([&]() -> co::task<> {
    tcp::acceptor acceptor(io_.get_executor(), {asio::ip::address_v4::loopback(), 0});
    const auto body = [&](co::task_group& group) -> co::task<> {
      group.spawn(serve(acceptor));
      const tcp::endpoint server = acceptor.local_endpoint();
      const auto [one, other] = co_await co::gather(ask(server, io_.get_executor(), "10"),
                                                    ask(server, io_.get_executor(), "15"));
      EXPECT_EQ(one, "55");
      EXPECT_EQ(other, "610");
      group.cancel();
    };
    co_await co::with_group(body);
  });
}

TEST_P(FromAsio, ErrorsAndTimers) {
  rt_.block_on([&]() -> co::task<> {
    EXPECT_EQ(co_await why_it_failed(io_.get_executor()), "Connection refused");
    EXPECT_TRUE(co_await first_of(io_.get_executor()));
  });
}

}  // namespace
}  // namespace guides
