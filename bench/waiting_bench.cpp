// What does waiting cost: for an item, a lock, a permit, an event, one of several, a call that blocks, the end of a loop?
//
// Rows waiting/<system>/<case>/<threads>. Each measurement is a process of its own, and checks what it computes; the
// order of all repetitions of all rows is drawn at random.
#include <cstdio>

#include "bench/support/suite.h"
#include "bench/waiting/row.h"

namespace {

using bench::comparison;
using bench::target;

constexpr double thousand = 1e3;
constexpr double million = 1e6;

constexpr target targets[] = {
    {"channel, uncontended, 1 thread", "waiting/coppice/channel_uncontended/1", "items_per_second",
     false, 20, million, "M items/s"},
    {"stop of a task in Asio, median", "waiting/coppice/asio_stop/2", "ns_p50", true, 30, thousand,
     "us"},
    {"stop of a task in Asio, of 100 the last", "waiting/coppice/asio_stop/2", "ns_p99", true, 80,
     thousand, "us"},
    {"stop of a loop of oneTBB, auto, p99", "waiting/coppice/loop_stop_auto/2", "ns_p99", true, 500,
     thousand, "us"},
    {"stop of a loop of oneTBB, simple, p99", "waiting/coppice/loop_stop_simple/2", "ns_p99", true,
     500, thousand, "us"},
    {"stop of a loop of oneTBB, static, p99", "waiting/coppice/loop_stop_static/2", "ns_p99", true,
     500, thousand, "us"},
    {"stop of a loop of oneTBB, affinity, p99", "waiting/coppice/loop_stop_affinity/2", "ns_p99",
     true, 500, thousand, "us"},
};

constexpr comparison comparisons[] = {
    {"channel 1:1 over a lock and conditions", "waiting/std/channel_1_to_1/2",
     "waiting/coppice/channel_1_to_1/2", nullptr, false, 3, 1, "times"},
    {"channel 1:1 over oneTBB's queue", "waiting/onetbb/channel_1_to_1/2",
     "waiting/coppice/channel_1_to_1/2", nullptr, false, 3, 1, "times"},
    {"channel 1:1 over Asio's", "waiting/asio/channel_1_to_1/2", "waiting/coppice/channel_1_to_1/2",
     nullptr, false, 3, 1, "times"},
    {"channel 1:1 apart over a lock and conditions", "waiting/std/channel_1_to_1/2",
     "waiting/coppice/channel_1_to_1_apart/2", nullptr, false, 3, 1, "times"},
    {"channel 1:1 apart over oneTBB's queue", "waiting/onetbb/channel_1_to_1/2",
     "waiting/coppice/channel_1_to_1_apart/2", nullptr, false, 3, 1, "times"},
    {"channel 4:4 over a lock and conditions", "waiting/std/channel_4_to_4/2",
     "waiting/coppice/channel_4_to_4/2", nullptr, false, 3, 1, "times"},
    {"channel 4:4 over oneTBB's queue", "waiting/onetbb/channel_4_to_4/2",
     "waiting/coppice/channel_4_to_4/2", nullptr, false, 3, 1, "times"},
    {"channel 4:4 over Asio's", "waiting/asio/channel_4_to_4/2", "waiting/coppice/channel_4_to_4/2",
     nullptr, false, 3, 1, "times"},
    {"channel 4:4 apart over a lock and conditions", "waiting/std/channel_4_to_4/2",
     "waiting/coppice/channel_4_to_4_apart/2", nullptr, false, 3, 1, "times"},
    {"channel 4:4 apart over oneTBB's queue", "waiting/onetbb/channel_4_to_4/2",
     "waiting/coppice/channel_4_to_4_apart/2", nullptr, false, 3, 1, "times"},
    {"event, last of 10 000 over the limit, 1 worker", "waiting/coppice/event_10000/1",
     "waiting/limit/event_10000/1", nullptr, true, 1.5, 1, "times"},
    {"event, last of 10 000 over the limit, 2", "waiting/coppice/event_10000/2",
     "waiting/limit/event_10000/2", nullptr, true, 1.5, 1, "times"},
};

}  // namespace

int main(int argc, char** argv) {
  using namespace bench::waiting_suite;
  if (asio_rows().empty()) {
    std::fputs(
        "waiting: the rows of Boost.Asio are left out, for Boost 1.81 was not there when this was "
        "built; ./dev setup installs it\n",
        stderr);
  }
  return bench::run_suite(
      {"waiting",
       bench::join_rows({channel_rows(), thread_queue_rows(), asio_rows(), lock_rows(),
                         event_rows(), select_rows(), blocking_rows(), loop_rows()}),
       targets, comparisons, 3},
      argc, argv);
}
