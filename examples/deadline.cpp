// A deadline binds everything below it, however deep: move_on_after goes on, with_timeout throws.
#include <coppice/coppice.h>

#include <array>
#include <iostream>
#include <string>

namespace co = coppice;
using namespace std::chrono_literals;

co::task<std::string> ask(std::string server, co::duration answers_after) {
  co_await co::sleep_for(answers_after);
  co_return "answer of " + server;
}

// Patient with each of three servers, but not for longer than the caller is with it.
co::task<std::string> ask_all() {
  const std::array servers{"alpha", "beta", "gamma"};
  for (const char* server : servers) {
    const auto answer = co_await co::move_on_after(10ms, ask(server, 1h));
    if (answer) {
      co_return *answer;
    }
    std::cout << server << " does not answer\n";
  }
  co_return co_await ask("the archive", 1h);
}

int main() {
  return co::run([]() -> co::task<> {
    const auto quick = co_await co::with_timeout(1h, ask("delta", 1ms));
    std::cout << quick << '\n';
    try {
      co_await co::with_timeout(500ms, ask_all());
    } catch (const co::timeout_error& late) {
      std::cout << late.what() << '\n';
    }
  });
}
