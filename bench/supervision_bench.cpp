// What does supervision cost, and how soon is everything below a cancelled scope gone?
//
// Rows supervision/<what>/.../<workers>. Each measurement is a process of its own, and checks what it computes; the
// order of all repetitions of all rows is drawn at random.
#include "bench/supervision/row.h"
#include "bench/support/suite.h"

namespace {

using bench::comparison;
using bench::target;

constexpr double us = 1'000;
constexpr double ms = 1'000'000;

constexpr target targets[] = {
    {"cancel() returns, 1 000 leaves, p50", "supervision/cancel/worker/1000/2", "ns_p50", true, 0.2,
     us, "us"},
    {"cancel() returns, 100 000 leaves, p50", "supervision/cancel/worker/100000/2", "ns_p50", true,
     0.2, us, "us"},
    {"  the same, all asleep, foreign, p50", "supervision/cancel/foreign_all_asleep/100000/2",
     "ns_p50", true, 10, us, "us"},
    {"p99.9 leaf, 1 000 flat", "supervision/fan_out/flat/1000/2", "ns_p99_9", true, 15, us, "us"},
    {"  the other worker asleep", "supervision/fan_out/flat/1000/others_asleep/2", "ns_p99_9", true,
     35, us, "us"},
    {"p99.9 leaf, 10 000 flat", "supervision/fan_out/flat/10000/2", "ns_p99_9", true, 80, us, "us"},
    {"  the other worker asleep", "supervision/fan_out/flat/10000/others_asleep/2", "ns_p99_9",
     true, 130, us, "us"},
    {"p99.9 leaf, 100 000 flat", "supervision/fan_out/flat/100000/2", "ns_p99_9", true, 1, ms,
     "ms"},
    {"join, 1 000 000 flat", "supervision/fan_out/flat/1000000/2", "ns_join", true, 11, ms, "ms"},
    {"last leaf of 1 000, all in fork-join", "supervision/fan_out/all_in_fork_join/1000/2",
     "ns_last", true, 50, us, "us"},
    {"join, 1 000 groups in one another", "supervision/fan_out/nested/1000/2", "ns_join", true, 80,
     us, "us"},
    {"suspend and resume: what is added, 1 thread", "supervision/wait/suspend_and_resume/1",
     "ns_added", true, 13, 1, "ns"},
    {"suspend and resume: what is added, 2 threads", "supervision/wait/suspend_and_resume/2",
     "ns_added", true, 16, 1, "ns"},
    {"a sleeper beyond its frame", "supervision/memory/sleeper/1", "bytes_beyond_frame", true, 48,
     1, "bytes"},
    {"another that waits beyond its frame", "supervision/memory/waiter/1", "bytes_beyond_frame",
     true, 24, 1, "bytes"},
    {"growth over suspensions resumed elsewhere", "supervision/memory/resumed_elsewhere/2",
     "kib_grown", true, 1024, 1, "KiB"},
    {"gather over the fork alone, 1 worker", "supervision/gather/fib/1", "ratio", true, 1.05, 1,
     "times"},
    {"gather over the fork alone, 2 workers", "supervision/gather/fib/2", "ratio", true, 1.05, 1,
     "times"},
};

constexpr comparison comparisons[] = {
    {"p99.9 leaf of 10 000 over the limit", "supervision/fan_out/flat/10000/2",
     "supervision/limit/flat/10000/2", "ns_p99_9", true, 1.5, 1, "times"},
    {"p99.9 leaf of 100 000 over the limit", "supervision/fan_out/flat/100000/2",
     "supervision/limit/flat/100000/2", "ns_p99_9", true, 1.5, 1, "times"},
    {"join of 1 000 000 over the limit", "supervision/fan_out/flat/1000000/2",
     "supervision/limit/flat/1000000/2", "ns_join", true, 1.6, 1, "times"},
};

}  // namespace

int main(int argc, char** argv) {
  using namespace bench::supervision_suite;
  return bench::run_suite(
      {"supervision",
       bench::join_rows({cancel_rows(), fan_out_rows(), limit_rows(), loaded_rows(), wait_rows(),
                         memory_rows(), group_rows(), gather_rows()}),
       targets, comparisons, 3},
      argc, argv);
}
