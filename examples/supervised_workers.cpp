// A small service whose workers crash, hang and leave, and are started again by what was said of them.
#include <coppice/coppice.h>
#include <coppice/testing.h>

#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace co = coppice;
using namespace std::chrono_literals;

void say(const std::string& what) {
  std::cout << co::test_clock().elapsed() / 1ms << " ms: " << what << '\n';
}

// Says when it is ready; loses its connection after two seconds, the first time.
co::task<> database(co::start_gate& gate, int& connections) {
  co_await co::sleep_for(100ms);
  say("database: connected");
  gate.started();
  co_await co::sleep_for(++connections == 1 ? 2s : 1h);
  throw std::runtime_error("connection lost");
}

// Works with the database, and so is started again with it.
co::task<> cache(co::start_gate& gate) {
  say("cache: filled");
  gate.started();
  co_await co::sleep_for(1h);
}

// Fails again and again: each time it is waited with for longer.
co::task<> feed() {
  co_await co::sleep_for(500ms);
  throw std::runtime_error("no feed");
}

// Has one thing to do.
co::task<> warm_up() {
  co_await co::sleep_for(1s);
  say("warm-up: done");
}

co::task<> service() {
  int connections = 0;
  const auto connect = [&](co::start_gate& gate) { return database(gate, connections); };
  const std::vector<co::child_spec> storage = {co::child_spec("database", connect),
                                               co::child_spec("cache", cache)};
  const auto store = [&] {
    return co::supervise({.name = "storage", .strategy = co::restart_strategy::rest_for_one},
                         storage);
  };
  const std::vector<co::child_spec> children = {
      co::child_spec("storage", store).type(co::child_type::supervisor),
      co::child_spec("warm-up", warm_up).restart(co::restart_type::transient)};

  const auto body = [](co::supervisor& s) -> co::task<> {
    s.on_restart([](const co::restart_report& report) {
      say(report.id + ": restart " + std::to_string(report.restarts) + " in " +
          std::to_string(report.delay / 1ms) + " ms");
    });
    co_await co::sleep_for(3s);
    const co::child_spec late =
        co::child_spec("feed", feed).backoff({.initial = 200ms, .factor = 3, .jitter = 0});
    co_await s.start_child(late);
    co_await co::sleep_for(10s);
    say("not reached: the feed is given up before");
  };
  try {
    co_await co::with_supervisor({.name = "service", .max_restarts = 2}, children, body);
  } catch (const co::restart_limit_exceeded& error) {
    say(error.what());
  }
}

int main() {
  co::test_runtime rt{{.workers = 1, .seed = 1}};  // Time that jumps: hours pass in no time.
  rt.set_error_handler([](const co::error_report& report) {
    say(std::string(report.entry.name()) + ": " + report.entry.message());
  });
  rt.block_on(service());
}
