// The first failure cancels the rest, and is thrown when they have ended: wait_or_abort.
#include <coppice/coppice.h>

#include <iostream>
#include <stdexcept>
#include <vector>

namespace co = coppice;
using namespace std::chrono_literals;

co::task<> compile() {
  co_await co::sleep_for(1ms);
}

co::task<> test(co::task_handle<> compiled) {
  co_await compiled;
  throw std::runtime_error("2 of 120 tests failed");
}

co::task<> measure(co::task_handle<> compiled) {
  co_await compiled;
  co_await co::sleep_for(1h);
}

int main() {
  return co::run([]() -> co::task<> {
    std::vector<co::task_handle<>> steps;
    steps.push_back(co::spawn({.name = "compile"}, compile));
    steps.push_back(co::spawn({.name = "test"}, test, steps[0]));
    steps.push_back(co::spawn({.name = "measure"}, measure, steps[0]));
    try {
      co_await co::wait_or_abort(steps);
    } catch (const std::runtime_error& error) {
      std::cout << error.what() << '\n';
    }
    for (const co::task_handle<>& step : steps) {
      std::cout << step.name() << ": " << to_string(step.status()) << '\n';
    }
  });
}
