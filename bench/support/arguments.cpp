// Which arguments are ours, and the defaults.
#include "bench/support/arguments.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string_view>

#include "bench/support/machine.h"

namespace bench {

arguments::arguments(int argc, char** argv, unsigned repetitions) : repetitions_(repetitions) {
  const std::span given(argv + 1, argv + argc);
  texts_.emplace_back(argv[0]);
  quick_ = std::ranges::any_of(
      given, [](const char* text) { return std::string_view(text) == "--quick"; });
  if (quick_) {
    repetitions_ = 1;
  } else {
    texts_.emplace_back("--benchmark_enable_random_interleaving=true");
    texts_.emplace_back("--benchmark_display_aggregates_only=true");
  }
  texts_.push_back("--benchmark_repetitions=" + std::to_string(repetitions_));
  for (const std::string_view text : given) {
    if (text == "--quick") {
      continue;
    }
    texts_.emplace_back(text);
    ours_only_ = ours_only_ && !text.starts_with("--benchmark_filter") &&
                 !text.starts_with("--benchmark_repetitions");
    to_file_ = to_file_ || text.starts_with("--benchmark_out=");
    as_json_ =
        as_json_ && (!text.starts_with("--benchmark_out_format=") || text.ends_with("=json"));
  }
}

bool arguments::initialize() {
  std::vector<char*> pointers;
  for (std::string& text : texts_) {
    pointers.push_back(text.data());
  }
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) {
    std::fputs(
        "besides Google Benchmark's own, there is --quick: each row once, and smaller where it can "
        "be\n",
        stderr);
    return false;
  }
  benchmark::AddCustomContext("compiler", BENCH_COMPILER);
  benchmark::AddCustomContext("flags", BENCH_FLAGS);
  benchmark::AddCustomContext("quick", quick_ ? "yes" : "no");
  describe_machine();
  return true;
}

}  // namespace bench
