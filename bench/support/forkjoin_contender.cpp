// Solving a problem with any of the contenders.
#include "bench/support/forkjoin_contender.h"

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

namespace bench {

double solve_seconds(fork_join& system, problem one) {
  std::uint64_t result = 0;
  std::optional<matrices> operands;
  const auto begin = std::chrono::steady_clock::now();
  switch (one.what) {
    case program::fib:
      result = system.fib(one.size);
      break;
    case program::skynet:
      result = system.skynet(one.size);
      break;
    case program::nqueens:
      result = system.nqueens(one.size);
      break;
    case program::matmul:
      operands.emplace(one.size);
      system.matmul(operands->whole());
      break;
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  if (operands) {
    result = operands->right_cells();
  }
  if (result != right_result(one)) {
    throw std::runtime_error("wrong result: " + name(one) + " gave " + std::to_string(result) +
                             ", not " + std::to_string(right_result(one)));
  }
  return taken.count();
}

}  // namespace bench
