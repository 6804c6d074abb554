// How soon does a child run again that has failed; what does it cost to stop many one after the other; and a storm?
#include <coppice/runtime.h>
#include <coppice/supervisor.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/supervision/growing.h"
#include "bench/supervision/row.h"
#include "bench/support/crowd.h"
#include "bench/support/samples.h"

namespace bench::supervision_suite {
namespace {

using coppice::child_spec;
using coppice::supervisor;
using coppice::supervisor_options;

constexpr supervisor_options patient{.max_restarts = std::numeric_limits<unsigned>::max()};

struct broken {};

void be_quiet(runtime& on) {
  on.set_error_handler([](const coppice::error_report&) {});
}

// From the throw to the first line of the child that is started in its place. The first throws of a process cost more.
numbers latency(const setting& at) {
  runtime on(options_for(at, others::search));
  be_quiet(on);
  const std::size_t count = at.scaled(20'000);
  std::vector<double> ns;
  ns.reserve(count);
  clock::time_point thrown{};
  const auto child = [&]() -> task<> {
    const clock::time_point begun = clock::now();
    if (thrown != clock::time_point()) {
      ns.push_back(std::chrono::duration<double, std::nano>(begun - thrown).count());
    }
    if (ns.size() == count) {
      co_return;
    }
    co_await coppice::yield();
    thrown = clock::now();
    throw broken();
  };
  const std::vector<child_spec> specs = {
      child_spec("a", child).restart(coppice::restart_type::transient)};
  on.block_on([&]() -> task<> { co_await coppice::supervise(patient, specs); });
  require(ns.size() == count, "a restart is missing");
  std::sort(ns.begin(), ns.end());
  return numbers(ns[count / 2]).add("ns_p99", ns[count * 99 / 100]).add("ns_least", ns.front());
}

// Of 10 000 that sleep, each is asked when the one behind is gone.
numbers stop_in_order(const setting& at) {
  constexpr std::size_t children = 10'000;
  runtime on(options_for(at, others::search));
  double least = 1e18;
  for (std::size_t turn = at.quick ? 2 : 10; turn != 0; --turn) {
    const auto sleeping = []() -> task<> { co_await coppice::sleep_for(std::chrono::hours(1)); };
    std::vector<child_spec> specs;
    specs.reserve(children);
    for (std::size_t i = 0; i != children; ++i) {
      specs.emplace_back(std::to_string(i), sleeping);
    }
    clock::time_point begun{};
    const auto body = [&](supervisor& s) -> task<> {
      co_await coppice::sleep_for(std::chrono::milliseconds(50));  // Until all sleep.
      begun = clock::now();
      s.request_shutdown();
    };
    on.block_on([&]() -> task<> { co_await coppice::with_supervisor({}, specs, body); });
    least = std::min(least, ns_since(begun) / static_cast<double>(children));
  }
  return numbers(least);
}

// Children that fail as soon as they run; time and memory for each of their restarts.
numbers storm(const setting& at) {
  runtime on(options_for(at, others::search));
  be_quiet(on);
  constexpr std::size_t children = 10;
  const std::size_t each = at.scaled(20'000);
  std::vector<std::size_t> starts(children, 0);
  std::vector<child_spec> specs;
  for (std::size_t i = 0; i != children; ++i) {
    const auto child = [&starts, i, each]() -> task<> {
      if (++starts[i] <= each) {
        throw broken();
      }
      co_return;
    };
    specs.push_back(child_spec(std::to_string(i), child).restart(coppice::restart_type::transient));
  }
  const auto begun = clock::now();
  on.block_on([&]() -> task<> { co_await coppice::supervise(patient, specs); });
  const double ns = ns_since(begun) / static_cast<double>(children * each);
  for (const std::size_t count : starts) {
    require(count == each + 1, "a restart is missing");
  }
  return numbers(ns).add("restarts_per_second", 1e9 / ns);
}

constexpr row rows[] = {
    {"restart/latency", 1, &latency},
    {"restart/latency", 2, &latency},
    {"restart/stop_in_order", 1, &stop_in_order},
    {"restart/stop_in_order", 2, &stop_in_order},
    {"restart/storm", 1, &storm},
    {"restart/storm", 2, &storm},
};

}  // namespace

std::span<const row> restart_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
