// What does supervision cost?
//
// Rows supervision/<what>/.../<workers>. Each measurement is a process of its own, and checks what it computes; the
// order of all repetitions of all rows is drawn at random.
#include "bench/supervision/row.h"
#include "bench/support/suite.h"

namespace {

using bench::target;

constexpr target targets[] = {
    {"suspend and resume: what is added, 1 thread", "supervision/wait/suspend_and_resume/1",
     "ns_added", true, 13, 1, "ns"},
    {"suspend and resume: what is added, 2 threads", "supervision/wait/suspend_and_resume/2",
     "ns_added", true, 16, 1, "ns"},
    {"a sleeper beyond its frame", "supervision/memory/sleeper/1", "bytes_beyond_frame", true, 48,
     1, "bytes"},
    {"another that waits beyond its frame", "supervision/memory/waiter/1", "bytes_beyond_frame",
     true, 24, 1, "bytes"},
    {"  gathered: a sleeper", "supervision/memory/gathered_sleeper/1", "bytes_beyond_frame", true,
     48, 1, "bytes"},
    {"  gathered: another", "supervision/memory/gathered_waiter/1", "bytes_beyond_frame", true, 24,
     1, "bytes"},
    {"growth over suspensions resumed elsewhere", "supervision/memory/resumed_elsewhere/2",
     "kib_grown", true, 1024, 1, "KiB"},
    {"gather over the fork alone, 1 worker", "supervision/gather/fib/1", "ratio", true, 1.05, 1,
     "times"},
    {"gather over the fork alone, 2 workers", "supervision/gather/fib/2", "ratio", true, 1.05, 1,
     "times"},
};

}  // namespace

int main(int argc, char** argv) {
  using namespace bench::supervision_suite;
  return bench::run_suite(
      {"supervision",
       bench::join_rows({wait_rows(), memory_rows(), group_rows(), gather_rows(), scope_rows(),
                         dump_rows(), growth_rows(), restart_rows()}),
       targets,
       {},
       3},
      argc, argv);
}
