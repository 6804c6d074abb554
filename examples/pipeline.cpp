// Bounded channels: whoever is ahead waits for the next stage. Closed from the front, the pipeline runs dry and ends.
#include <coppice/coppice.h>

#include <iostream>
#include <string>

namespace co = coppice;

co::task<> read_lines(co::channel<std::string>& lines) {
  for (const char* line : {"7 apples", "2 pears", "a typing error", "30 plums"}) {
    co_await lines.send(line);
  }
  lines.close();
}

co::task<> parse(co::channel<std::string>& lines, co::channel<int>& numbers) {
  while (const auto line = co_await lines.receive()) {
    try {
      const int number = std::stoi(*line);
      co_await numbers.send(number);
    } catch (const std::invalid_argument&) {
      std::cout << "no number: " << *line << '\n';
    }
  }
  numbers.close();
}

co::task<int> add(co::channel<int>& numbers) {
  int sum = 0;
  while (const auto number = co_await numbers.receive()) {
    sum += *number;
  }
  co_return sum;
}

int main() {
  return co::run([]() -> co::task<> {
    co::channel<std::string> lines(2);
    co::channel<int> numbers(2);
    // Were a stage to fail, the others would be stopped, wherever they wait.
    const int sum = co_await co::with_group([&](co::task_group& stages) -> co::task<int> {
      stages.spawn(read_lines, std::ref(lines));
      stages.spawn(parse, std::ref(lines), std::ref(numbers));
      co_return co_await add(numbers);
    });
    std::cout << "sum: " << sum << '\n';
  });
}
