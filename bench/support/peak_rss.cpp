// The high-water mark of resident memory, as Linux tells it.
#include "bench/support/peak_rss.h"

#include <sys/resource.h>

#include <cstdio>
#include <memory>

namespace bench {

long peak_rss_kib() noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> status(std::fopen("/proc/self/status", "r"),
                                                               &std::fclose);
  char line[256];
  long kib = 0;
  while (status && std::fgets(line, sizeof line, status.get()) != nullptr) {
    if (std::sscanf(line, "VmHWM: %ld kB", &kib) == 1) {
      return kib;
    }
  }
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace bench
