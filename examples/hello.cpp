#include <coppice/coppice.h>

#include <iostream>

namespace co = coppice;
using namespace std::chrono_literals;

co::task<int> twice(int x) {
  co_await co::sleep_for(1ms);
  co_return 2 * x;
}

co::task<int> late() {
  co_await co::sleep_for(1h);
  co_return 0;
}

int main() {
  return co::run([]() -> co::task<int> {
    auto six = co::spawn(twice, 3);
    auto never = co::spawn({.name = "late"}, late);
    never.cancel("nobody waits that long");
    std::cout << co_await six + co_await twice(4) << '\n';
    try {
      co_await never;
    } catch (const co::task_cancelled& stopped) {
      std::cout << stopped.reason().message() << '\n';
    }
    co_return 0;
  });
}
