// matmul N THREADS: the product of two N x N matrices, a task a block.
#include "bench/support/forkjoin_program_main.h"

int main(int argc, char** argv) {
  return bench::run_on_coppice(bench::program::matmul, argc, argv);
}
