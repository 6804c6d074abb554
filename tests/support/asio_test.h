// A test of Boost.Asio in tasks: any number of workers, a thread for Asio, two sockets that are connected.
#pragma once

#include <coppice/asio.h>
#include <coppice/runtime.h>
#include <gtest/gtest.h>

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>

namespace coppice::testing_support::inline networked {

class asio_test : public testing::TestWithParam<unsigned> {
 protected:
  using socket = boost::asio::local::stream_protocol::socket;

  void SetUp() override { boost::asio::local::connect_pair(near, far); }

  io_thread io;
  socket near{io.get_executor()};
  socket far{io.get_executor()};
  runtime rt{{.threads = GetParam()}};
};

}  // namespace coppice::testing_support::inline networked
