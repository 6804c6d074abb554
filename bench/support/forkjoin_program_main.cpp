// Arguments and output of the programs in the shared comparison.
#include "bench/support/forkjoin_program_main.h"

#include <charconv>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "bench/support/forkjoin_contender.h"
#include "bench/support/peak_rss.h"

namespace bench {
namespace {

constexpr unsigned most_threads = 1024;

bool read(std::string_view text, unsigned& number) noexcept {
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
  return error == std::errc() && end == text.end();
}

const char* size_word(program what) noexcept {
  return what == program::skynet ? "DEPTH" : "N";
}

int refuse(program what, const std::string& reason) {
  const std::string sizes = possible_sizes(what);
  std::fprintf(stderr,
               "%s_coppice: %s\nusage: %s_coppice %s THREADS\n  %-7s  %s\n  THREADS  a number from "
               "1 to %u\n",
               name(what).c_str(), reason.c_str(), name(what).c_str(), size_word(what),
               size_word(what), sizes.c_str(), most_threads);
  return 2;
}

}  // namespace

int run_on_coppice(program what, int argc, char** argv) {
  // The shared comparison's lists name the program before its arguments.
  const int first = argc > 1 && argv[1] == name(what) ? 2 : 1;
  if (argc - first != 2) {
    return refuse(what, "it takes two arguments, and was given " + std::to_string(argc - first));
  }
  problem one = {what, 0};
  if (!read(argv[first], one.size) || !possible(one)) {
    return refuse(what, std::string(size_word(what)) + " is '" + argv[first] + "', which is not " +
                            possible_sizes(what));
  }
  unsigned threads = 0;
  if (!read(argv[first + 1], threads) || threads == 0 || threads > most_threads) {
    return refuse(what, std::string("THREADS is '") + argv[first + 1] + "'");
  }
  try {
    std::printf("threads: %u\n", threads);
    const std::unique_ptr<fork_join> system = start_coppice(threads);
    solve_seconds(*system, warm_up(one));
    const double seconds = solve_seconds(*system, one);
    std::printf(
        "output: %llu\nruns:\n  - iteration_count: 1\n    duration: %.0f us\n    max_rss: %ld "
        "KiB\n",
        static_cast<unsigned long long>(right_result(one)), seconds * 1e6, peak_rss_kib());
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s_coppice: %s\n", name(what).c_str(), failure.what());
    return 1;
  }
  return 0;
}

}  // namespace bench
