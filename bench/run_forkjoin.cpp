// The fork-join programs at their published sizes on coppice and on oneTBB, as a table.
//
// A demonstration more than a measurement: a few runs in turn, all results checked. It takes half a
// minute on two processors; what is slow gets fewer rounds, so that it stays below one.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include "bench/support/forkjoin_measurement.h"
#include "bench/support/forkjoin_table.h"
#include "bench/support/progress.h"

namespace {

using bench::contender;
using bench::problem;
using bench::program;

constexpr problem problems[] = {
    {program::fib, 39}, {program::skynet, 8}, {program::nqueens, 13}, {program::matmul, 1024}};
constexpr contender systems[] = {bench::coppice_contender, bench::onetbb_contender};
constexpr std::size_t most_rounds = 3;
constexpr std::chrono::seconds budget{55};

// Without restarts, so that it ends the wait for a measurement.
void take_note_of(int signal) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigaction(signal, &action, nullptr);
}

// Every problem on every system. Returns how long it took.
std::chrono::duration<double> one_round(unsigned threads, bench::forkjoin_table& table,
                                        bench::progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  for (const problem one : problems) {
    for (const contender& system : systems) {
      progress.step(bench::name(one) + " on " + std::string(system.name));
      table.add(system, threads, one, bench::measure(system, threads, one));
    }
  }
  return std::chrono::steady_clock::now() - begin;
}

}  // namespace

int main(int argc, char**) {
  if (argc > 1) {
    std::fputs("coppice_run: takes no arguments; it uses the processors that it may use\n", stderr);
    return 2;
  }
  take_note_of(SIGINT);
  take_note_of(SIGTERM);
  const unsigned threads = bench::usable_processors();
  bench::forkjoin_table table;
  std::size_t rounds = 0;
  int status = 0;
  const auto begin = std::chrono::steady_clock::now();
  try {
    bench::progress progress(most_rounds * std::size(problems) * std::size(systems));
    std::chrono::duration<double> last = {};
    while (rounds != most_rounds && std::chrono::steady_clock::now() - begin + last < budget) {
      last = one_round(threads, table, progress);
      ++rounds;
    }
  } catch (const bench::interrupted&) {
    std::fputs("interrupted; what was measured until now:\n", stderr);
    status = 130;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "coppice_run: %s\n", failure.what());
    status = 1;
  }
  std::cout << BENCH_COMPILER << ' ' << BENCH_FLAGS << ", " << threads << " threads, " << rounds
            << " rounds\n\n";
  if (!table.empty()) {
    table.print(std::cout);
  }
  if (status == 0) {
    std::cout << "all results are right\n";
  }
  return status;
}
