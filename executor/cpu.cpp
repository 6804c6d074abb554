#include "executor/cpu.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>
#include <absl/strings/string_view.h>
#include <absl/strings/strip.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <memory>
#include <numeric>
#include <span>
#include <sstream>
#include <utility>

namespace coppice::inline v0::detail {
namespace {

constexpr unsigned highest_cpu = 65535;  // Far beyond any kernel; bounds what a list can ask for.
constexpr unsigned most_workers = 1024;

// A set of CPUs as large as it must be; cpu_set_t alone ends at 1024.
class cpu_mask {
 public:
  explicit cpu_mask(std::size_t cpus) : cpus_(cpus), set_(CPU_ALLOC(cpus)) {
    if (set_ != nullptr) {
      CPU_ZERO_S(bytes(), set_.get());
    }
  }

  explicit operator bool() const noexcept { return set_ != nullptr; }
  cpu_set_t* get() noexcept { return set_.get(); }
  std::size_t bytes() const noexcept { return CPU_ALLOC_SIZE(cpus_); }
  void insert(unsigned cpu) noexcept { CPU_SET_S(cpu, bytes(), set_.get()); }

  cpu_list members() const {
    cpu_list result;
    for (unsigned cpu = 0; cpu < cpus_; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes(), set_.get())) {
        result.push_back(cpu);
      }
    }
    return result;
  }

 private:
  struct release {
    void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
  };

  std::size_t cpus_;
  std::unique_ptr<cpu_set_t, release> set_;
};

// Empty where it cannot be read: a cgroup can be removed at any time. (The inserter swallows what
// libstdc++'s file buffers throw at a failed read; iterators would not.)
std::string read_file(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

// A number as the kernel writes it, or nothing: "max", -1 and garbage are all no limit.
std::optional<double> positive(absl::string_view text) {
  std::int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value <= 0) {
    return std::nullopt;
  }
  return static_cast<double>(value);
}

// Where a cgroup hierarchy can be seen: the directory `point` shows the cgroup `root`.
struct hierarchy {
  std::string root;
  std::string point;
};

enum class version : std::uint8_t { one, two };

// One directory's own limit.
std::optional<double> quota_of(const std::string& directory, version kind) {
  std::optional<double> quota;
  std::optional<double> period;
  if (kind == version::two) {
    const std::string text = read_file(directory + "/cpu.max");
    const std::vector<absl::string_view> words =
        absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
    if (words.size() == 2) {
      quota = positive(words[0]);
      period = positive(words[1]);
    }
  } else {
    quota = positive(read_file(directory + "/cpu.cfs_quota_us"));
    period = positive(read_file(directory + "/cpu.cfs_period_us"));
  }
  return quota && period ? std::optional(*quota / *period) : std::nullopt;
}

void tighten(std::optional<double>& tightest, std::optional<double> quota) {
  if (quota && (!tightest || *quota < *tightest)) {
    tightest = quota;
  }
}

// Below `root`, or nothing if it lies elsewhere.
std::optional<std::string> path_below(const std::string& root, absl::string_view path) {
  if (root != "/" && !absl::ConsumePrefix(&path, root)) {
    return std::nullopt;
  }
  const bool inside = path.empty() || path.front() == '/';
  return inside ? std::optional(std::string(path)) : std::nullopt;
}

// The tightest limit from the cgroup `path` up to the top of what is mounted.
std::optional<double> tightest_quota(const std::string& root, const hierarchy& seen,
                                     std::string path, version kind) {
  std::optional<double> tightest;
  const std::string top = root + seen.point;
  for (;;) {
    std::string directory = top;
    directory += path;
    tighten(tightest, quota_of(directory, kind));
    if (path.empty()) {
      return tightest;
    }
    path.erase(path.rfind('/'));
  }
}

// A mount may show another part of the hierarchy than the one that holds this process. If all do,
// which happens with cgroup namespaces, its cgroup is what the first shows at its top.
std::optional<double> tightest_quota(const std::string& root, std::span<const hierarchy> all,
                                     const std::string& path, version kind) {
  std::optional<double> tightest;
  bool found = false;
  for (const hierarchy& each : all) {
    if (const std::optional<std::string> below = path_below(each.root, path)) {
      found = true;
      tighten(tightest, tightest_quota(root, each, *below, kind));
    }
  }
  if (!found && !all.empty()) {
    tighten(tightest, tightest_quota(root, all.front(), "", kind));
  }
  return tightest;
}

// mountinfo writes a blank, tab, newline or backslash in a path as a backslash and three octal
// digits.
std::string unescaped(absl::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
        octal(text[i + 3])) {
      result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                  (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

bool lists_cpu(absl::string_view controllers) {
  const std::vector<absl::string_view> names = absl::StrSplit(controllers, ',');
  return std::ranges::find(names, "cpu") != names.end();
}

// What /proc/self says about cgroups that can limit CPU time.
struct cgroup_view {
  std::vector<hierarchy> mounts_v1;
  std::vector<hierarchy> mounts_v2;
  std::string path_v1 = "/";
  std::string path_v2 = "/";
};

// 36 35 98:0 /root /point rw,noatime master:1 - type source options
void add_mount(absl::string_view line, cgroup_view& view) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  const auto dash = std::ranges::find(words, "-");
  if (dash - words.begin() < 6 || words.end() - dash < 4) {
    return;
  }
  const absl::string_view type = dash[1];
  if (type == "cgroup2") {
    view.mounts_v2.push_back({.root = unescaped(words[3]), .point = unescaped(words[4])});
  } else if (type == "cgroup" && lists_cpu(dash[3])) {
    view.mounts_v1.push_back({.root = unescaped(words[3]), .point = unescaped(words[4])});
  }
}

// 4:cpu,cpuacct:/path, and for version 2: 0::/path
void add_membership(absl::string_view line, cgroup_view& view) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
  if (fields.size() != 3 || !absl::StartsWith(fields[2], "/")) {
    return;
  }
  // A process may lie outside its own cgroup namespace, and is then shown a path up and out of it,
  // which would lead out of the mount.
  const absl::string_view path = absl::StrContains(fields[2], "/..") ? "/" : fields[2];
  if (fields[1].empty()) {
    view.path_v2 = std::string(path);
  } else if (lists_cpu(fields[1])) {
    view.path_v1 = std::string(path);
  }
}

cgroup_view read_cgroups(const std::string& root) {
  cgroup_view view;
  const std::string mounts = read_file(root + "/proc/self/mountinfo");
  for (const absl::string_view line : absl::StrSplit(mounts, '\n', absl::SkipEmpty())) {
    add_mount(line, view);
  }
  if (view.mounts_v1.empty() && view.mounts_v2.empty()) {
    for (const char* point : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"}) {
      view.mounts_v1.push_back({.root = "/", .point = point});
    }
    for (const char* point : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      view.mounts_v2.push_back({.root = "/", .point = point});
    }
  }
  const std::string memberships = read_file(root + "/proc/self/cgroup");
  for (const absl::string_view line : absl::StrSplit(memberships, '\n', absl::SkipEmpty())) {
    add_membership(line, view);
  }
  return view;
}

std::string path_without_trailing_slash(std::string path) {
  while (!path.empty() && path.back() == '/') {
    path.pop_back();
  }
  return path;
}

// "3" or "0-3", appended to `cpus`; otherwise why not.
std::string_view read_cpu_range(std::string_view text, cpu_list& cpus) {
  const std::size_t hyphen = text.find('-');
  const reading<std::uint64_t> first = read_count(text.substr(0, hyphen));
  const reading<std::uint64_t> last =
      hyphen == std::string_view::npos ? first : read_count(text.substr(hyphen + 1));
  if (!first.value || !last.value) {
    return "is not a list of CPUs like 0-3,8";
  }
  if (*first.value > *last.value) {
    return "has a range that ends before it begins";
  }
  if (*last.value > highest_cpu) {
    return "names a CPU that no system has";
  }
  for (auto cpu = static_cast<unsigned>(*first.value); cpu <= *last.value; ++cpu) {
    cpus.push_back(cpu);
  }
  return {};
}

}  // namespace

cpu_list affinity() {
  for (std::size_t cpus = 1024; cpus <= highest_cpu + std::size_t{1}; cpus *= 2) {
    cpu_mask mask(cpus);
    if (mask && sched_getaffinity(0, mask.bytes(), mask.get()) == 0) {
      cpu_list members = mask.members();
      if (!members.empty()) {
        return members;
      }
    }
  }
  cpu_list online(static_cast<std::size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))));
  std::iota(online.begin(), online.end(), 0U);
  return online;
}

reading<cpu_list> read_cpu_list(std::string_view text) {
  cpu_list cpus;
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
    const std::string_view why = read_cpu_range({part.data(), part.size()}, cpus);
    if (!why.empty()) {
      return {.why = why};
    }
    if (cpus.size() > highest_cpu + std::size_t{1}) {
      break;  // Some are named twice.
    }
  }
  cpu_list sorted = cpus;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) {
    return {.why = "names a CPU twice"};
  }
  return {.value = std::move(cpus)};
}

std::string cpu_list_text(const cpu_list& cpus) {
  std::string text;
  for (std::size_t first = 0, last = 0; first < cpus.size(); first = ++last) {
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) {
      ++last;
    }
    text += (text.empty() ? "" : ",") + std::to_string(cpus[first]);
    if (last != first) {
      text += '-' + std::to_string(cpus[last]);
    }
  }
  return text;
}

std::optional<double> cgroup_quota(const std::string& root) {
  const std::string base = path_without_trailing_slash(root);
  const cgroup_view view = read_cgroups(base);
  const auto below_top = path_without_trailing_slash;
  std::optional<double> tightest =
      tightest_quota(base, view.mounts_v1, below_top(view.path_v1), version::one);
  tighten(tightest, tightest_quota(base, view.mounts_v2, below_top(view.path_v2), version::two));
  return tightest;
}

cpu_supply available_cpus() {
  return {.affinity = affinity(), .quota = cgroup_quota()};
}

unsigned automatic_workers(std::size_t cpus, std::optional<double> quota) noexcept {
  auto workers = static_cast<double>(cpus);
  if (quota) {
    workers = std::min(workers, std::ceil(*quota));
  }
  return static_cast<unsigned>(std::clamp(workers, 1.0, static_cast<double>(most_workers)));
}

reading<cpu_list> read_pin(std::string_view text, const cpu_list& affinity) {
  constexpr std::string_view prefix = "list:";
  if (text == "none") {
    return {.value = cpu_list()};
  }
  if (text == "compact") {
    return {.value = affinity};
  }
  if (!text.starts_with(prefix)) {
    return {.why = "is neither none, compact nor a list of CPUs like list:0-3,8"};
  }
  reading<cpu_list> plan = read_cpu_list(text.substr(prefix.size()));
  if (plan.value && !std::ranges::all_of(*plan.value, [&](unsigned cpu) {
        return std::ranges::binary_search(affinity, cpu);
      })) {
    return {.why = "names a CPU outside the affinity mask"};
  }
  return plan;
}

std::optional<unsigned> cpu_of_worker(const cpu_list& plan, std::size_t worker) noexcept {
  return plan.empty() ? std::nullopt : std::optional(plan[worker % plan.size()]);
}

bool pin_current_thread(unsigned cpu) noexcept {
  cpu_mask mask(cpu + std::size_t{1});
  if (!mask) {
    return false;
  }
  mask.insert(cpu);
  return sched_setaffinity(0, mask.bytes(), mask.get()) == 0;
}

}  // namespace coppice::inline v0::detail
