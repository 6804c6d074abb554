// How soon after one cancel has everything below it gone: trees of suspended tasks, in several shapes, waiting for several
// things, beside other systems and a loop that does no more than free the frames?
//
// Rows fanout/<system>/<shape>/<N>/<leaf>/<workers>/<canceller>/<frames>/<load>. Each measurement is a process of its own,
// and checks that every leaf went; the order of all repetitions of all rows is drawn at random.
#include <cstdio>

#include "bench/fanout/row.h"
#include "bench/support/suite.h"

namespace {

using bench::comparison;
using bench::target;

constexpr double us = 1'000;
constexpr double ms = 1'000'000;

// The faster limit's share of the time, or the machine is not one to judge by.
constexpr target conditions[] = {
    {"the faster limit itself, a leaf of 10 000",
     "fanout/limit*/flat/10000/event/spinning/worker/ordered/idle", "observed_p999_ns", true, 8,
     10'000, "ns"},
};

constexpr target targets[] = {
    {"cancel() returns, every N and shape, p50",
     "fanout/coppice/*/*/event/spinning/worker/ordered/idle", "cancel_returns_p50_ns", true, 0.2,
     us, "us"},
    {"  by a foreign thread, all parked, p50",
     "fanout/coppice/flat/*/event/parked/foreign/ordered/idle", "cancel_returns_p50_ns", true, 10,
     us, "us"},
    {"p99.9 leaf, 1 000 flat", "fanout/coppice/flat/1000/event/spinning/worker/ordered/idle",
     "observed_p999_ns", true, 15, us, "us"},
    {"  the other worker parked", "fanout/coppice/flat/1000/event/parked/worker/ordered/idle",
     "observed_p999_ns", true, 35, us, "us"},
    {"p99.9 leaf, 10 000 flat", "fanout/coppice/flat/10000/event/spinning/worker/ordered/idle",
     "observed_p999_ns", true, 80, us, "us"},
    {"  the other worker parked", "fanout/coppice/flat/10000/event/parked/worker/ordered/idle",
     "observed_p999_ns", true, 130, us, "us"},
    {"p99.9 leaf, 100 000 flat", "fanout/coppice/flat/100000/event/spinning/worker/ordered/idle",
     "observed_p999_ns", true, 1, ms, "ms"},
    {"join, 1 000 000 flat", "fanout/coppice/flat/1000000/event/spinning/worker/ordered/idle",
     "join_p50_ns", true, 11, ms, "ms"},
    {"  gathered: p99.9 leaf, 1 000",
     "fanout/coppice_gather/flat/1000/event/spinning/worker/ordered/idle", "observed_p999_ns", true,
     15, us, "us"},
    {"  10 000", "fanout/coppice_gather/flat/10000/event/spinning/worker/ordered/idle",
     "observed_p999_ns", true, 80, us, "us"},
    {"  100 000", "fanout/coppice_gather/flat/100000/event/spinning/worker/ordered/idle",
     "observed_p999_ns", true, 1, ms, "ms"},
    {"  join, 1 000 000", "fanout/coppice_gather/flat/1000000/event/spinning/worker/ordered/idle",
     "join_p50_ns", true, 11, ms, "ms"},
    {"last of 1 000, every worker in fork-join",
     "fanout/coppice/flat/1000/event/spinning/worker/ordered/fork_join", "observed_max_ns", true,
     50, us, "us"},
    {"join, 1 000 groups in one another",
     "fanout/coppice/deep/1000/event/spinning/worker/ordered/idle", "join_p50_ns", true, 80, us,
     "us"},
};

constexpr comparison comparisons[] = {
    {"p99.9 leaf of 10 000 over the faster limit",
     "fanout/coppice/flat/10000/event/spinning/worker/ordered/idle",
     "fanout/limit*/flat/10000/event/spinning/worker/ordered/idle", "observed_p999_ns", true, 1.5,
     1, "times"},
    {"p99.9 leaf of 100 000 over the faster limit",
     "fanout/coppice/flat/100000/event/spinning/worker/ordered/idle",
     "fanout/limit*/flat/100000/event/spinning/worker/ordered/idle", "observed_p999_ns", true, 1.5,
     1, "times"},
    {"join of 1 000 000 over the faster limit",
     "fanout/coppice/flat/1000000/event/spinning/worker/ordered/idle",
     "fanout/limit*/flat/1000000/event/spinning/worker/ordered/idle", "join_p50_ns", true, 1.6, 1,
     "times"},
    {"  gathered: p99.9 leaf of 10 000",
     "fanout/coppice_gather/flat/10000/event/spinning/worker/ordered/idle",
     "fanout/limit*/flat/10000/event/spinning/worker/ordered/idle", "observed_p999_ns", true, 1.5,
     1, "times"},
    {"  of 100 000", "fanout/coppice_gather/flat/100000/event/spinning/worker/ordered/idle",
     "fanout/limit*/flat/100000/event/spinning/worker/ordered/idle", "observed_p999_ns", true, 1.5,
     1, "times"},
    {"  join of 1 000 000", "fanout/coppice_gather/flat/1000000/event/spinning/worker/ordered/idle",
     "fanout/limit*/flat/1000000/event/spinning/worker/ordered/idle", "join_p50_ns", true, 1.6, 1,
     "times"},
    {"p99.9 leaf of 10 000 over std::stop_token",
     "fanout/coppice/flat/10000/event/spinning/worker/ordered/idle",
     "fanout/std_stop_token/flat/10000/event/spinning/worker/ordered/idle", "observed_p999_ns",
     true, 0.33, 1, "times"},
    {"p99.9 leaf of 100 000 over std::stop_token",
     "fanout/coppice/flat/100000/event/spinning/worker/ordered/idle",
     "fanout/std_stop_token/flat/100000/event/spinning/worker/ordered/idle", "observed_p999_ns",
     true, 0.33, 1, "times"},
    {"  gathered: p99.9 leaf of 10 000",
     "fanout/coppice_gather/flat/10000/event/spinning/worker/ordered/idle",
     "fanout/std_stop_token/flat/10000/event/spinning/worker/ordered/idle", "observed_p999_ns",
     true, 0.33, 1, "times"},
    {"  of 100 000", "fanout/coppice_gather/flat/100000/event/spinning/worker/ordered/idle",
     "fanout/std_stop_token/flat/100000/event/spinning/worker/ordered/idle", "observed_p999_ns",
     true, 0.33, 1, "times"},
    {"timer, event, channel: slowest over fastest",
     "fanout/coppice/flat/10000/@(event|timer|channel)/spinning/worker/ordered/idle",
     "fanout/coppice/flat/10000/@(event|timer|channel)/spinning/worker/ordered/idle",
     "observed_p999_ns", true, 1.3, 1, "times"},
    {"  the same, 100 000",
     "fanout/coppice/flat/100000/@(event|timer|channel)/spinning/worker/ordered/idle",
     "fanout/coppice/flat/100000/@(event|timer|channel)/spinning/worker/ordered/idle",
     "observed_p999_ns", true, 1.3, 1, "times"},
    {"p99.9 leaf of 1 000, busy 1 ms a slice",
     "fanout/coppice/flat/1000/event/spinning/worker/ordered/busy",
     "fanout/coppice/flat/1000/event/spinning/worker/ordered/idle", "observed_p999_ns", true, 1,
     1 / ms, "ms more", true},
    {"  the same, 10 000", "fanout/coppice/flat/10000/event/spinning/worker/ordered/busy",
     "fanout/coppice/flat/10000/event/spinning/worker/ordered/idle", "observed_p999_ns", true, 1,
     1 / ms, "ms more", true},
};

}  // namespace

int main(int argc, char** argv) {
  using namespace bench::fanout_suite;
  if (asio_rows().empty()) {
    std::fputs(
        "fanout: the rows of Boost.Asio are left out, for Boost 1.81 was not there when this was "
        "built; ./dev setup installs it\n",
        stderr);
  }
  return bench::run_suite({"fanout",
                           bench::join_rows({coppice_rows(), limit_rows(), stop_token_rows(),
                                             onetbb_rows(), asio_rows()}),
                           targets, comparisons, 3, false, conditions},
                          argc, argv);
}
