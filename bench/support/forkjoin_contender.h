// A library that can solve the fork-join programs, and the ones we know.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "bench/support/forkjoin_programs.h"

namespace bench {

// A library at work: its threads run from the constructor to the destructor.
class fork_join {
 public:
  fork_join(const fork_join&) = delete;
  fork_join& operator=(const fork_join&) = delete;
  virtual ~fork_join() = default;

  virtual std::uint64_t fib(unsigned n) = 0;
  virtual std::uint64_t skynet(unsigned depth) = 0;
  virtual std::uint64_t nqueens(unsigned queens) = 0;
  virtual void matmul(const product& whole) = 0;

 protected:
  fork_join() = default;
};

std::unique_ptr<fork_join> start_coppice(unsigned threads);
// coppice without supervision: no fork is a scope of its own.
std::unique_ptr<fork_join> start_coppice_bare(unsigned threads);
// oneTBB in its own manner, where each fork is a context that can be cancelled and fail by itself.
std::unique_ptr<fork_join> start_onetbb(unsigned threads);
// oneTBB with all forks in one context: faster, but no part of the computation can be cancelled.
std::unique_ptr<fork_join> start_onetbb_shared(unsigned threads);
// Plain recursion, which ignores the number of threads.
std::unique_ptr<fork_join> start_serial(unsigned threads);

struct contender {
  std::string_view name;
  std::unique_ptr<fork_join> (*start)(unsigned threads);
};
inline constexpr contender coppice_contender = {"coppice", &start_coppice};
inline constexpr contender coppice_bare_contender = {"coppice_bare", &start_coppice_bare};
inline constexpr contender onetbb_contender = {"onetbb", &start_onetbb};
inline constexpr contender onetbb_shared_contender = {"onetbb_shared", &start_onetbb_shared};
inline constexpr contender serial_contender = {"serial", &start_serial};

// Solves the problem and takes the time, for matmul with what it takes to make the matrices, as in
// the programs of the field. A result that is not right is a std::runtime_error.
double solve_seconds(fork_join& system, problem one);

}  // namespace bench
