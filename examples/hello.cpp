#include <coppice/coppice.h>

#include <iostream>

namespace co = coppice;
using namespace std::chrono_literals;

co::task<> dial(co::duration patience) {
  co_await co::sleep_for(patience);
  throw std::runtime_error("no answer");
}

int main() {
  return co::run([]() -> co::task<> {
    co::task_handle<> patient;
    try {
      co_await co::with_group({.name = "calls"}, [&](co::task_group& group) -> co::task<> {
        patient = group.spawn({.name = "patient"}, dial, 1h);
        group.spawn({.name = "hasty"}, dial, 1ms);
        co_return;
      });
    } catch (const co::exception_group& failures) {
      std::cout << failures.format();
    }
    std::cout << patient.name() << ": " << to_string(patient.status()) << '\n';
  });
}
