// Uses coppice with Boost.Asio: a task waits for one of its timers.
#include <coppice/asio.h>
#include <coppice/runtime.h>

#include <boost/asio/steady_timer.hpp>

int main() {
  coppice::io_thread io;
  boost::asio::steady_timer soon(io.get_executor(), std::chrono::milliseconds(1));
  coppice::runtime runtime;
  return runtime.block_on([&]() -> coppice::task<int> {
    co_await soon.async_wait(coppice::use_task);
    co_return 0;
  });
}
