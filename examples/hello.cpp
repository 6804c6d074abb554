#include <coppice/coppice.h>

#include <iostream>

namespace co = coppice;
using namespace std::chrono_literals;

co::task<int> square(int x) {
  co_await co::sleep_for(1ms);
  co_return x* x;
}

co::task<int> late() {
  co_await co::sleep_for(1h);
  co_return 0;
}

int main() {
  return co::run([]() -> co::task<int> {
    auto nine = co::spawn(square, 3);
    auto never = co::spawn({.name = "late"}, late);
    never.cancel("nobody waits that long");
    std::cout << co_await nine + co_await square(4) << '\n';
    try {
      co_await never;
    } catch (const co::task_cancelled& stopped) {
      std::cout << stopped.reason().message() << '\n';
    }
    co_return 0;
  });
}
