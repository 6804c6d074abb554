// What a figure depends on besides the code: the machine, the libraries, the environment.
#pragma once

namespace bench {

// Adds it to what Google Benchmark says of a run, on the terminal and in JSON.
void describe_machine();

}  // namespace bench
