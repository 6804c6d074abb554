// What does it cost that each gather is a scope: fib by gather() beside the same fork and join without a scope?
#include <coppice/detail/fork_join.h>

#include <algorithm>
#include <cstdint>

#include "bench/support/crowd.h"
#include "bench/support/opaque.h"

namespace bench::supervision_suite {
namespace {

BENCH_OPAQUE task<std::uint64_t> by_gather(unsigned n) {
  if (n < 2) {
    co_return n;
  }
  const auto [x, y] = co_await coppice::gather(by_gather(n - 1), by_gather(n - 2));
  co_return x + y;
}

BENCH_OPAQUE task<std::uint64_t> by_bare_fork(unsigned n) {
  if (n < 2) {
    co_return n;
  }
  const auto [x, y] = co_await coppice::detail::fork_join<coppice::detail::parent_scope>(
      by_bare_fork(n - 1), by_bare_fork(n - 2));
  co_return x + y;
}

double ns_of(runtime& on, task<std::uint64_t> (*fib)(unsigned), unsigned n,
             std::uint64_t expected) {
  const auto begun = clock::now();
  const std::uint64_t result = on.block_on(fib(n));
  const double ns = ns_since(begun);
  require(result == expected, "fib is wrong");
  return ns;
}

// In turns; the median of the ratios of neighbours.
numbers gather_over_fork(const setting& at) {
  runtime on(options_for(at, others::search));
  const unsigned n = at.quick ? 25 : 32;
  const std::uint64_t expected = at.quick ? 75'025 : 2'178'309;
  const double tasks = static_cast<double>(2 * expected) * 1.618 - 1;
  std::vector<double> ratios;
  double gather = 1e18;
  double bare = 1e18;
  for (int round = 0; round != 11; ++round) {
    const double with = ns_of(on, &by_gather, n, expected);
    const double without = ns_of(on, &by_bare_fork, n, expected);
    if (round != 0) {
      ratios.push_back(with / without);
    }
    gather = std::min(gather, with / tasks);
    bare = std::min(bare, without / tasks);
  }
  std::ranges::sort(ratios);
  return numbers(gather)
      .add("ns_bare", bare)
      .add("ratio", ratios[ratios.size() / 2])
      .add("ratio_of_least", gather / bare);
}

constexpr row rows[] = {
    {"gather/fib", 1, &gather_over_fork},
    {"gather/fib", 2, &gather_over_fork},
};

}  // namespace

std::span<const row> gather_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
