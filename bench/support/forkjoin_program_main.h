// The main function of the programs that stand in the field's shared comparison.
#pragma once

#include "bench/support/forkjoin_programs.h"

namespace bench {

// Reads SIZE and THREADS, solves the program once on coppice after a warm-up and prints, in the
// words of the shared comparison, how long it took and how much memory. Returns 0; 1 if the result
// was wrong; 2 if the arguments were.
int run_on_coppice(program what, int argc, char** argv);

}  // namespace bench
