// How many unwindings do all workers do together, or does one's hold up the other's?
#include <algorithm>
#include <vector>

#include "bench/support/worker_time.h"
#include "bench/unwind/ways.h"

namespace bench::unwind_suite {
namespace {

// Its time is what each worker takes for one of its own.
template <const way& By>
numbers throughput(const setting& at) {
  coppice::runtime on({.threads = at.workers, .spin = std::chrono::milliseconds(10)});
  const std::size_t times = at.scaled(200'000);
  const auto work = [times]() -> task<> {
    fall one;
    const auto nothing = [] {};
    co_await fall_often(By, one, 1, times, nothing);
  };
  std::vector<double> rounds;
  for (int round = 0; round != 5; ++round) {
    const double ns = on.block_on(time_on_every_worker(at.workers, work));
    rounds.push_back(ns / static_cast<double>(times));
  }
  std::ranges::sort(rounds);
  const double ns = rounds[rounds.size() / 2];
  return numbers(ns).add("ns_least", rounds.front()).add("per_second", at.workers * 1e9 / ns);
}

constexpr row rows[] = {
    {"throughput/stop", 1, &throughput<stop_way>},
    {"throughput/stop", 2, &throughput<stop_way>},
    {"throughput/throw", 1, &throughput<throw_way>},
    {"throughput/throw", 2, &throughput<throw_way>},
};

}  // namespace

std::span<const row> throughput_rows() noexcept {
  return rows;
}

}  // namespace bench::unwind_suite
