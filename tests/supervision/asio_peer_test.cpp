#include <coppice/coppice.h>
#include <coppice/detail/asio_peer.h>
#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>

#include <array>

#include "tests/support/asio_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

namespace asio = boost::asio;

class AsioPeer : public testing_support::asio_test {};

INSTANTIATE_TEST_SUITE_P(Workers, AsioPeer, testing::Values(1, 2, 4));

using detail::look_at_peer;
using detail::peer_state;

TEST_P(AsioPeer, IsThereWhetherItHasSaidSomethingOrNot) {
  EXPECT_EQ(look_at_peer(near.native_handle()), peer_state::there);
  far.write_some(asio::buffer("word", 4));
  EXPECT_EQ(look_at_peer(near.native_handle()), peer_state::there);
}

TEST_P(AsioPeer, IsSeenToGoBehindWhatLiesUnread) {
  far.write_some(asio::buffer("word", 4));
  far.shutdown(socket::shutdown_send);
  EXPECT_EQ(look_at_peer(near.native_handle()), peer_state::half_closed);
  far.close();
  EXPECT_EQ(look_at_peer(near.native_handle()), peer_state::gone);
  std::array<char, 8> read{};
  EXPECT_EQ(near.read_some(asio::buffer(read)), 4U);
}

TEST_P(AsioPeer, NoSocketHasNone) {
  EXPECT_EQ(look_at_peer(-1), peer_state::there);  // poll() leaves it out.
  const int was = near.native_handle();
  near.close();
  EXPECT_EQ(look_at_peer(was), peer_state::gone);
}

TEST_P(AsioPeer, IsLookedAtOnTheSocketsExecutor) {
  const auto looked = rt.block_on(
      [&]() -> task<peer_state> { co_return co_await detail::async_look_at_peer(near, use_task); });
  EXPECT_EQ(looked, peer_state::there);
}

}  // namespace
}  // namespace coppice
