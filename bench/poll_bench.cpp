// What does it cost to ask whether one is to stop, and how soon does one who asks all the time see it?
//
// Rows poll/<system>/<form>. Each measurement is a process of its own, and checks what it computes; the order of all
// repetitions of all rows is drawn at random.
#include "bench/poll/row.h"
#include "bench/support/suite.h"

namespace {

using bench::comparison;
using bench::target;

constexpr double us = 1'000;

constexpr target targets[] = {
    {"poll of a held token", "poll/coppice/token", nullptr, true, 0.5, 1, "ns"},
    {"  under 100 000 cancels a second of others", "poll/coppice/storm_token", nullptr, true, 2, 1,
     "ns"},
    {"poll by the plain call", "poll/coppice/call", nullptr, true, 1.5, 1, "ns"},
    {"  under 100 000 cancels a second of others", "poll/coppice/storm_call", nullptr, true, 2, 1,
     "ns"},
    {"cancel seen 100 levels below, p50", "poll/coppice/seen_100", "ns_p50", true, 1, us, "us"},
    {"cancel seen 1 000 levels below, p50", "poll/coppice/seen_1000", "ns_p50", true, 5, us, "us"},
};

}  // namespace

int main(int argc, char** argv) {
  using namespace bench::poll_suite;
  return bench::run_suite({.name = "poll",
                           .rows = bench::join_rows({coppice_rows(), std_rows(), onetbb_rows()}),
                           .targets = targets,
                           .comparisons = {},
                           .repetitions = 3,
                           .workers_in_names = false},
                          argc, argv);
}
