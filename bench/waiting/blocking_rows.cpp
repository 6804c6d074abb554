// How long is a call away that blocks a thread of its own?
#include <coppice/blocking.h>
#include <coppice/runtime.h>

#include <future>

#include "bench/waiting/row.h"

namespace bench::waiting_suite {
namespace {

using coppice::runtime;
using coppice::task;

task<std::uint64_t> call_often(std::size_t times, samples& trips) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != times; ++i) {
    const auto call = [i] { return i; };
    const auto begun = clock::now();
    sum += co_await coppice::spawn_blocking(call);
    trips.add(clock::now() - begun);
  }
  co_return sum;
}

numbers coppice_calls(const setting& at) {
  runtime on({.threads = at.workers, .pin = "compact"});
  const std::size_t times = at.scaled(20'000);
  samples warm_up(0);
  on.block_on(call_often(times / 10, warm_up));
  samples trips(times);
  require(on.block_on(call_often(times, trips)) == times * (times - 1) / 2,
          "a call gave a wrong result");
  return distribution(trips);
}

// A thread each time.
numbers std_calls(const setting& at) {
  const std::size_t times = at.scaled(5'000);
  samples trips(times);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != times; ++i) {
    const auto begun = clock::now();
    sum += std::async(std::launch::async, [i] { return i; }).get();
    trips.add(clock::now() - begun);
  }
  require(sum == times * (times - 1) / 2, "a call gave a wrong result");
  return distribution(trips);
}

constexpr row rows[] = {
    {"coppice/spawn_blocking", 1, &coppice_calls},
    {"coppice/spawn_blocking", 2, &coppice_calls},
    {"std/spawn_blocking", 2, &std_calls},
};

}  // namespace

std::span<const row> blocking_rows() noexcept {
  return rows;
}

}  // namespace bench::waiting_suite
