// The line of progress.
#include "bench/support/progress.h"

#include <unistd.h>

#include <cstdio>

namespace bench {

progress::progress(std::size_t steps) noexcept
    : steps_(steps), on_terminal_(isatty(STDERR_FILENO) == 1) {}

void progress::clear() noexcept {
  if (on_terminal_) {
    std::fputs("\r\033[K", stderr);
  }
}

void progress::step(const std::string& what) {
  std::string count = '[' + std::to_string(++done_);
  if (steps_ != 0) {
    count += '/' + std::to_string(steps_);
  }
  std::fprintf(stderr, on_terminal_ ? "\r\033[K%s] %s" : "%s] %s\n", count.c_str(), what.c_str());
  std::fflush(stderr);
}

}  // namespace bench
