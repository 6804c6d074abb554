// What becomes of a mixed load when there are more workers than cores?
#include "bench/executor/tasks.h"

namespace bench::executor_suite {
namespace {

constexpr unsigned small_fib = 10;
constexpr std::uint64_t small_fib_result = 55;
constexpr std::size_t clients = 64;

// A client spawns, waits, gives way and forks.
task<std::uint64_t> client(executor& on, std::size_t rounds) {
  std::uint64_t sum = 0;
  for (std::size_t round = 0; round != rounds; ++round) {
    sum += co_await on.spawn(echo(round));
    co_await coppice::yield();
    sum += co_await fib(small_fib);
  }
  co_return sum;
}

task<std::uint64_t> all_clients(executor& on, std::size_t rounds) {
  std::vector<coppice::task_handle<std::uint64_t>> handles;
  handles.reserve(clients);
  for (std::size_t i = 0; i != clients; ++i) {
    handles.push_back(on.spawn(client(on, rounds)));
  }
  std::uint64_t sum = 0;
  for (const auto& each : handles) {
    sum += co_await each;
  }
  co_return sum;
}

numbers mix(const setting& at) {
  warm_executor on(at.workers);
  const std::size_t rounds = at.scaled(4'000);
  on.block_on(all_clients(on, rounds / 10));
  const auto begun = clock::now();
  const std::uint64_t sum = on.block_on(all_clients(on, rounds));
  const double ns = ns_since(begun);
  require(sum == clients * (rounds * (rounds - 1) / 2 + rounds * small_fib_result),
          "a client has come to a wrong sum");
  const auto all_rounds = static_cast<double>(clients * rounds);
  return numbers(ns / all_rounds).add("rounds_per_s", all_rounds / ns * 1e9);
}

constexpr row rows[] = {
    {"mix", 1, &mix}, {"mix", 2, &mix}, {"mix", 4, &mix}, {"mix", 16, &mix}, {"mix", 64, &mix},
};

}  // namespace

std::span<const row> worker_rows() noexcept {
  return rows;
}

}  // namespace bench::executor_suite
