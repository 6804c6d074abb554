// skynet DEPTH THREADS: a sum over the leaves of a tree, a task a node.
#include "bench/support/forkjoin_program_main.h"

int main(int argc, char** argv) {
  return bench::run_on_coppice(bench::program::skynet, argc, argv);
}
