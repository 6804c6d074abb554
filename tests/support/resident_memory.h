// How much memory the process has.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <fstream>

namespace coppice::testing_support {

inline std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace coppice::testing_support
