// A long-lived object with a supervisor: requests live and fail alone until it is shut down.
#include <coppice/coppice.h>

#include <iostream>
#include <stdexcept>
#include <utility>
#include <vector>

namespace co = coppice;
using namespace std::chrono_literals;

class calculator {
 public:
  void open() {
    requests_.open();
    requests_.on_error([](const co::error_report& report) {
      std::cout << report.entry.name() << " failed: " << report.entry.message() << '\n';
    });
  }

  co::task_handle<int> divide(int x, int y) {
    return requests_.spawn({.name = "division"}, divided, x, y);
  }
  co::task_handle<> subscribe() { return requests_.spawn({.name = "subscription"}, subscription); }

  // Returns when the last request has ended; any task of any tree may call it.
  co::task<> close(co::cancel_reason why) { co_await requests_.shutdown(5s, std::move(why)); }

 private:
  static co::task<int> divided(int x, int y) {
    co_await co::yield();
    if (y == 0) {
      throw std::domain_error("division by zero");
    }
    co_return x / y;
  }
  static co::task<> subscription() { co_await co::sleep_for(1h); }

  co::manual_supervisor requests_{{.name = "requests"}};
};

int main() {
  return co::run([]() -> co::task<> {
    calculator service;
    service.open();
    auto six = service.divide(42, 7);
    auto bad = service.divide(42, 0);
    auto endless = service.subscribe();
    auto two = service.divide(42, 21);

    const std::vector<co::task_ref> short_ones{six, bad, two};
    co_await co::wait(short_ones);  // Whatever becomes of them.
    co_await service.close("new settings");
    std::cout << "six: " << six.result().get() << ", two: " << two.result().get() << '\n';
    std::cout << "bad: " << to_string(bad.status()) << '\n';
    std::cout << "endless: " << to_string(endless.status()) << ", "
              << endless.result().reason().message() << '\n';
  });
}
