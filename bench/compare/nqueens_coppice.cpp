// nqueens N THREADS: how N queens can stand, a task a partial placement.
#include "bench/support/forkjoin_program_main.h"

int main(int argc, char** argv) {
  return bench::run_on_coppice(bench::program::nqueens, argc, argv);
}
