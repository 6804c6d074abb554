// The CPUs this process may use: the affinity mask, the cgroup's quota, and where workers go.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "executor/setting_text.h"

namespace coppice::inline v0::detail {

// Numbers of CPUs as the kernel counts them.
using cpu_list = std::vector<unsigned>;

// The CPUs that the calling thread may run on, and threads that it starts, ascending. Where the
// kernel does not tell, all that are online. Never empty.
cpu_list affinity();

// "0-3,8", in the order written. A CPU named twice is refused, for it would get two workers.
reading<cpu_list> read_cpu_list(std::string_view text);
std::string cpu_list_text(const cpu_list& cpus);  // ascending runs joined by a hyphen

// How many CPUs' worth of time the cgroup of this process may use, a fraction like 0.5 or 2.5: the
// tightest limit among it and its ancestors. Empty if there is none, or none that can be understood.
// Sees version 1, version 2 and both at once. `root` stands in for the root of the file system.
//
// After the kernel's cgroup-v2.rst ("cpu.max"), scheduler/sched-bwc.rst, and proc(5) ("mountinfo").
std::optional<double> cgroup_quota(const std::string& root = "");

struct cpu_supply {
  cpu_list affinity = {};
  std::optional<double> quota = {};
};

cpu_supply available_cpus();

// As many workers as can run at once on `cpus` CPUs under that quota: at least 1, at most 1024.
unsigned automatic_workers(std::size_t cpus, std::optional<double> quota) noexcept;

// Where "none", "compact" or "list:..." puts the workers: worker i on CPU plan[i % plan.size()], or
// wherever the system likes if the plan is empty.
reading<cpu_list> read_pin(std::string_view text, const cpu_list& affinity);
std::optional<unsigned> cpu_of_worker(const cpu_list& plan, std::size_t worker) noexcept;

// False if the kernel refuses, say because the CPU has gone offline; the thread then stays free.
[[nodiscard]] bool pin_current_thread(unsigned cpu) noexcept;

}  // namespace coppice::inline v0::detail
