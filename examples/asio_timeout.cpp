// Sockets of Boost.Asio in tasks: a time limit ends a read, and a peer that goes ends the work that was done for it.
#include <coppice/asio.h>
#include <coppice/coppice.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <iostream>
#include <string>

namespace asio = boost::asio;
namespace co = coppice;
using asio::ip::tcp;
using namespace std::chrono_literals;

co::task<std::string> read_line(tcp::socket& from) {
  std::string line;
  const auto size =
      co_await asio::async_read_until(from, asio::dynamic_buffer(line), '\n', co::use_task);
  co_return line.substr(0, size - 1);
}

co::task<> write_line(tcp::socket& to, std::string line) {
  line += '\n';
  co_await asio::async_write(to, asio::buffer(line), co::use_task);
}

// Says what it hears, but works for ever on "everything".
co::task<> answer(tcp::socket& peer) {
  for (;;) {
    const std::string question = co_await read_line(peer);
    if (question == "everything") {
      co_await co::sleep_for(1000h);
    }
    co_await write_line(peer, question);
  }
}

co::task<> serve(tcp::acceptor& acceptor) {
  tcp::socket peer = co_await acceptor.async_accept(co::use_task);
  const auto first = co_await co::race(answer(peer), co::until_disconnected(peer));
  if (first.index == 1) {
    std::cout << "server: the client has gone, and its work with it\n";
  }
}

co::task<> ask(tcp::endpoint server, asio::any_io_executor io) {
  tcp::socket socket(io);
  co_await socket.async_connect(server, co::use_task);
  co_await write_line(socket, "something");
  std::cout << "client: " << co_await read_line(socket) << '\n';
  co_await write_line(socket, "everything");
  const auto all = co_await co::move_on_after(20ms, read_line(socket));
  std::cout << "client: " << all.value_or("no answer in time") << '\n';
}

int main() {
  co::io_thread io;
  tcp::acceptor acceptor(io.get_executor(), {asio::ip::address_v4::loopback(), 0});
  return co::run([&]() -> co::task<> {
    co_await co::gather(serve(acceptor), ask(acceptor.local_endpoint(), io.get_executor()));
  });
}
