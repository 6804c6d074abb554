// What does it cost to leave many frames at once: by a stop, by an exception, by many exceptions?
//
// Rows unwind/<way>/<frames or failures>/<workers>. Each measurement is a process of its own, and checks what it
// computes; the order of all repetitions of all rows is drawn at random.
#include "bench/support/suite.h"
#include "bench/unwind/row.h"

namespace {

using bench::target;

// What destroying a frame costs differs by compiler.
#if defined(__clang__)
constexpr double most_stop_ns = 80;
#else
constexpr double most_stop_ns = 130;
#endif

constexpr target targets[] = {
    {"stop through 10 frames, p50", "unwind/stop/10/1", "ns_p50", true, most_stop_ns, 1, "ns"},
    {"  allocations of one", "unwind/stop/10/1", "allocations_each", true, 0, 1, ""},
};

}  // namespace

int main(int argc, char** argv) {
  using namespace bench::unwind_suite;
  return bench::run_suite(
      {"unwind", bench::join_rows({way_rows(), throughput_rows(), group_rows()}), targets, {}, 3},
      argc, argv);
}
