// Races of Asio's completions with cancels and time limits: nothing that was read is lost, and every wait ends once.
#include <coppice/asio.h>
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/spawn.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>

#include "tests/support/load.h"
#include "tests/support/racing.h"
#include "tests/support/waiting.h"

namespace coppice {
namespace {

namespace asio = boost::asio;
using socket = asio::local::stream_protocol::socket;

using testing_support::dice;
using testing_support::give_way;
using testing_support::race_test;
using testing_support::rounds;
using testing_support::start_and_perhaps_stop;

class AsioRace : public race_test {};

constexpr long all_rounds = 500'000;

// What lies unread when a round is over is counted with what was read.
std::size_t unread(socket& of) {
  std::array<char, 16> bytes{};
  of.non_blocking(true);
  boost::system::error_code nothing;
  return of.read_some(asio::buffer(bytes), nothing);
}

TEST_F(AsioRace, WhatIsReadWhileTheReaderIsStoppedIsDelivered) {
  io_thread io;
  std::atomic<long> sent{0};
  std::atomic<long> received{0};
  const round each = [&](dice& random) -> task<> {
    socket near(io.get_executor());
    socket far(io.get_executor());
    asio::local::connect_pair(near, far);
    for (int i = 0; i != 50; ++i) {
      bool must_read = false;
      std::atomic<int> read{0};
      const auto reader = [&]() -> task<> {
        char byte = ' ';
        read += static_cast<int>(co_await near.async_read_some(asio::buffer(&byte, 1), use_task));
      };
      co_await with_group([&](task_group& all) -> task<> {
        must_read = start_and_perhaps_stop(all, reader, random);
        co_await give_way(random() % 4);
        co_await far.async_write_some(asio::buffer("b", 1), use_task);
      });
      sent += 1;
      received += read.load();
      const std::size_t left = unread(near);
      EXPECT_EQ(static_cast<std::size_t>(read.load()) + left, 1U);
      EXPECT_TRUE(read.load() == 1 || !must_read);
    }
  };
  runtime rt(several_threads());
  const long done = 50 * run_rounds(rt, rounds(all_rounds / 50), each);
  EXPECT_EQ(sent.load(), done);
  EXPECT_GT(received.load(), 0);
}

TEST_F(AsioRace, ATimerEndsEachWaitOnce) {
  io_thread io;
  std::atomic<long> expired{0};
  std::atomic<long> must_expire{0};
  const round each = [&](dice& random) -> task<> {
    std::atomic<int> here{0};
    const unsigned delay = random() % 30;
    const auto wait = [&]() -> task<> {
      asio::steady_timer soon(io.get_executor(), std::chrono::microseconds(delay));
      co_await soon.async_wait(use_task);
      here += 1;
    };
    int must = 0;
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != 3; ++i) {
        must += start_and_perhaps_stop(all, wait, random) ? 1 : 0;
      }
      co_return;
    });
    EXPECT_GE(here.load(), must);
    expired += here.load();
    must_expire += must;
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds / 3), each);
  EXPECT_GE(expired.load(), must_expire.load());
}

}  // namespace
}  // namespace coppice
