// Exactly one of several waits: what has not been chosen has had no effect, so no item is lost to a deadline.
#include <coppice/coppice.h>

#include <iostream>
#include <string>

namespace co = coppice;
using namespace std::chrono_literals;

co::task<> publish(co::channel<std::string>& news) {
  for (const char* each : {"first", "second"}) {
    co_await co::sleep_for(1ms);
    co_await news.send(each);
  }
  co_await co::sleep_for(1h);
}

int main() {
  return co::run([]() -> co::task<> {
    co::channel<std::string> news;
    co::channel<std::string> alarms(1);
    co_await co::with_group([&](co::task_group& publishers) -> co::task<> {
      publishers.spawn(publish, std::ref(news));
      const co::time_point deadline = co::now() + 200ms;
      for (bool waits = true; waits;) {
        const auto event =
            co_await co::select(alarms.receive(), news.receive(), co::sleep_until(deadline));
        switch (event.index()) {
          case 0:
            std::cout << "alarm: " << **std::get_if<0>(&event) << '\n';
            break;
          case 1:
            std::cout << "news: " << **std::get_if<1>(&event) << '\n';
            co_await alarms.send("after the " + **std::get_if<1>(&event));
            break;
          default:
            std::cout << "nothing more before the deadline\n";
            waits = false;
        }
      }
      publishers.cancel();
    });
  });
}
