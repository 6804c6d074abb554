// What Linux and the libraries tell of themselves.
#include "bench/support/machine.h"

#include <benchmark/benchmark.h>
#include <gnu/libc-version.h>
#include <sys/utsname.h>
#include <tbb/version.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <string_view>

namespace bench {
namespace {

// The value of the first line of /proc/cpuinfo that begins so.
std::string cpu_info(std::string_view key) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key)) {
      const std::size_t colon = line.find(": ");
      return colon == std::string::npos ? "" : line.substr(colon + 2);
    }
  }
  return "";
}

// Variables that change how fast a program runs.
std::string variables() {
  std::string found;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view variable(*each);
    for (const char* prefix : {"COPPICE_", "LD_PRELOAD=", "GLIBC_TUNABLES=", "MALLOC_", "TBB_"}) {
      if (variable.starts_with(prefix)) {
        found.append(found.empty() ? "" : " ").append(variable);
      }
    }
  }
  return found.empty() ? "none of COPPICE_*, LD_PRELOAD, GLIBC_TUNABLES, MALLOC_*, TBB_*" : found;
}

}  // namespace

void describe_machine() {
  const std::string model = cpu_info("model name");
  const bool guest = cpu_info("flags").find("hypervisor") != std::string::npos;
  benchmark::AddCustomContext(
      "cpu", (model.empty() ? "unknown" : model) + (guest ? ", of a virtual machine" : ""));
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  benchmark::AddCustomContext("memory", std::to_string(pages / 1024 * page / 1024) + " MiB");
  utsname system = {};
  uname(&system);
  benchmark::AddCustomContext(
      "system", std::string(system.sysname) + ' ' + system.release + ' ' + system.machine);
  benchmark::AddCustomContext("libraries", std::string("glibc ") + gnu_get_libc_version() +
                                               ", oneTBB " + TBB_runtime_version());
  benchmark::AddCustomContext("environment", variables());
}

}  // namespace bench
