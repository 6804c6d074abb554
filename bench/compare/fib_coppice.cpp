// fib N THREADS: the n-th Fibonacci number, a task a call.
#include "bench/support/forkjoin_program_main.h"

int main(int argc, char** argv) {
  return bench::run_on_coppice(bench::program::fib, argc, argv);
}
