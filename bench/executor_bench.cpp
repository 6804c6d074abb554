// What does the executor's machinery cost, and how long does anything wait for it?
//
// Rows executor/<what>/.../<workers>, their time in nanoseconds for each of whatever they count. Each
// measurement is a process of its own, and checks what it computes; the order of all repetitions of all
// rows is drawn at random.
#include "bench/executor/row.h"
#include "bench/support/suite.h"

namespace {

using bench::comparison;
using bench::target;

constexpr double ns_per_us = 1'000;

constexpr target targets[] = {
    {"foreign spawn, 1 worker in fork-join, p99", "executor/foreign/spawn/loaded/1", "ns_p99", true,
     100, ns_per_us, "us"},
    {"foreign spawn, 2 workers in fork-join, p99", "executor/foreign/spawn/loaded/2", "ns_p99",
     true, 100, ns_per_us, "us"},
    {"  of them served within 100 us", "executor/foreign/spawn/loaded/2", "percent_within_100us",
     false, 99, 1, "%"},
    {"due timer, 1 worker in fork-join, p99", "executor/timer/lateness/loaded/1", "ns_p99", true,
     100, ns_per_us, "us"},
    {"due timer, 2 workers in fork-join, p99", "executor/timer/lateness/loaded/2", "ns_p99", true,
     100, ns_per_us, "us"},
    {"  of them served within 100 us", "executor/timer/lateness/loaded/2", "percent_within_100us",
     false, 99, 1, "%"},
    {"CPU of 2 idle workers", "executor/idle_cpu/all_asleep/2", "percent_of_core", true, 1, 1,
     "% of a core"},
    {"CPU of 16 idle workers", "executor/idle_cpu/all_asleep/16", "percent_of_core", true, 1, 1,
     "% of a core"},
};

constexpr comparison comparisons[] = {
    {"throughput of 16 workers / of 2", "executor/mix/2", "executor/mix/16", nullptr, false, 80,
     100, "%"},
};

}  // namespace

int main(int argc, char** argv) {
  using namespace bench::executor_suite;
  return bench::run_suite(
      {"executor",
       bench::join_rows({deque_rows(), frame_rows(), spawn_rows(), hop_rows(), foreign_rows(),
                         parking_rows(), timer_rows(), worker_rows()}),
       targets, comparisons, 3},
      argc, argv);
}
