#include "executor/cpu.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace coppice::detail {
namespace {

using file = std::pair<std::string, std::string>;  // path and content

// A directory that stands in for the root of the file system.
class fake_root {
 public:
  explicit fake_root(const std::vector<file>& files) {
    std::string path = (std::filesystem::temp_directory_path() / "coppice-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) {
      throw std::filesystem::filesystem_error("mkdtemp", path,
                                              std::error_code(errno, std::generic_category()));
    }
    root_ = path;
    for (const auto& [name, content] : files) {
      std::filesystem::create_directories((root_ / name).parent_path());
      std::ofstream(root_ / name) << content;
    }
  }

  fake_root(const fake_root&) = delete;
  fake_root& operator=(const fake_root&) = delete;
  ~fake_root() { std::filesystem::remove_all(root_); }

  std::filesystem::path path() const { return root_; }

 private:
  std::filesystem::path root_;
};

std::optional<double> quota_in(const std::vector<file>& files) {
  return cgroup_quota(fake_root(files).path().string());
}

const file v2_mounts = {"proc/self/mountinfo",
                        "22 1 0:21 / /proc rw shared:1 - proc proc rw\n"
                        "31 22 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"};
const file v1_mounts = {
    "proc/self/mountinfo",
    "30 22 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 22 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"};
const file v2_at_top = {"proc/self/cgroup", "0::/\n"};
const file v2_nested = {"proc/self/cgroup", "0::/a/b/c\n"};
const file v1_nested = {"proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/a/b\n1:name=systemd:/s\n"};

struct content_row {
  std::string cpu_max;
  std::optional<double> quota;
};

TEST(CgroupQuota, ReadsVersionTwo) {
  const content_row rows[] = {
      {"50000 100000\n", 0.5},
      {"200000 100000\n", 2.0},
      {"250000 100000", 2.5},
      {"max 100000\n", {}},
      {"max\n", {}},
      {"", {}},
      {"50000\n", {}},
      {"garbage\n", {}},
      {"50000 0\n", {}},
      {"0 100000\n", {}},
      {"-1 100000\n", {}},
      {"50000 -100000\n", {}},
      {"50000 100000 7\n", {}},
      {"5e4 1e5\n", {}},
      {"99999999999999999999 100000\n", {}},
      {std::string("\0\0\0", 3), {}},
  };
  for (const auto& [text, quota] : rows) {
    EXPECT_EQ(quota_in({v2_mounts, v2_at_top, {"sys/fs/cgroup/cpu.max", text}}), quota)
        << quoted_text(text);
  }
}

TEST(CgroupQuota, ReadsVersionOne) {
  struct v1_row {
    std::string quota_us, period_us;
    std::optional<double> quota;
  };
  const v1_row rows[] = {
      {"150000\n", "100000\n", 1.5}, {"-1\n", "100000\n", {}},   {"50000\n", "0\n", {}},
      {"50000\n", "", {}},           {"", "100000\n", {}},       {"0\n", "100000\n", {}},
      {"many\n", "100000\n", {}},    {"50000\n", "often\n", {}},
  };
  const std::string directory = "sys/fs/cgroup/cpu,cpuacct/a/b/";
  for (const auto& [quota_us, period_us, quota] : rows) {
    EXPECT_EQ(quota_in({v1_mounts,
                        v1_nested,
                        {directory + "cpu.cfs_quota_us", quota_us},
                        {directory + "cpu.cfs_period_us", period_us}}),
              quota)
        << quoted_text(quota_us) << ' ' << quoted_text(period_us);
  }
}

TEST(CgroupQuota, IsNoneWhereNothingIsMounted) {
  EXPECT_EQ(quota_in({}), std::nullopt);
  EXPECT_EQ(quota_in({v2_mounts}), std::nullopt);
  EXPECT_EQ(quota_in({v2_mounts, v2_nested}), std::nullopt);
  EXPECT_EQ(quota_in({{"proc/self/mountinfo", "1 2\n - \n\n31 22 0:27 / - cgroup2\n- - - -\n"},
                      {"proc/self/cgroup", ":\n::\n0\n0::\nnonsense\n"}}),
            std::nullopt);
  EXPECT_EQ(cgroup_quota("/no/such/directory"), std::nullopt);
}

TEST(CgroupQuota, TheTightestAncestorCounts) {
  EXPECT_EQ(quota_in({v2_mounts,
                      v2_nested,
                      {"sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n"},
                      {"sys/fs/cgroup/a/b/cpu.max", "max 100000\n"},
                      {"sys/fs/cgroup/a/cpu.max", "150000 100000\n"}}),
            1.5);
  EXPECT_EQ(quota_in({v2_mounts,
                      v2_nested,
                      {"sys/fs/cgroup/a/b/c/cpu.max", "50000 100000\n"},
                      {"sys/fs/cgroup/a/cpu.max", "150000 100000\n"}}),
            0.5);
}

TEST(CgroupQuota, OtherCgroupsDoNotCount) {
  EXPECT_EQ(quota_in({v2_mounts,
                      {"proc/self/cgroup", "0::/a\n"},
                      {"sys/fs/cgroup/a/b/cpu.max", "50000 100000\n"},
                      {"sys/fs/cgroup/ab/cpu.max", "50000 100000\n"}}),
            std::nullopt);
}

TEST(CgroupQuota, VersionOneBesideVersionTwo) {
  const file mounts = {"proc/self/mountinfo",
                       "31 22 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                       "32 22 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"};
  const file memberships = {"proc/self/cgroup", "3:cpu:/one\n0::/two\n"};
  const file v1_quota = {"sys/fs/cgroup/cpu/one/cpu.cfs_quota_us", "300000\n"};
  const file v1_period = {"sys/fs/cgroup/cpu/one/cpu.cfs_period_us", "100000\n"};
  const file v2_quota = {"sys/fs/cgroup/unified/two/cpu.max", "200000 100000\n"};
  EXPECT_EQ(quota_in({mounts, memberships, v1_quota, v1_period}), 3.0);
  EXPECT_EQ(quota_in({mounts, memberships, v2_quota}), 2.0);
  EXPECT_EQ(quota_in({mounts, memberships, v1_quota, v1_period, v2_quota}), 2.0);
}

// In a container without a cgroup namespace, the mount shows the container's own cgroup, while its
// path is still told from the host's point of view.
TEST(CgroupQuota, AMountMayShowOnlyAPartOfTheHierarchy) {
  const file memberships = {"proc/self/cgroup", "3:cpu:/docker/abc/inner\n"};
  const file quota = {"sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "50000\n"};
  const file period = {"sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n"};
  EXPECT_EQ(quota_in({{"proc/self/mountinfo",
                       "31 22 0:27 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"},
                      memberships,
                      quota,
                      period}),
            0.5);
  const file top_quota = {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "70000\n"};
  const file top_period = {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"};
  EXPECT_EQ(quota_in({{"proc/self/mountinfo",
                       "31 22 0:27 /docker/ab /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"},
                      memberships,
                      quota,
                      period,
                      top_quota,
                      top_period}),
            0.7)
      << "of a mount that shows another part, the top counts";
}

TEST(CgroupQuota, APathOutOfTheNamespaceDoesNotLeadOutOfTheMount) {
  EXPECT_EQ(quota_in({v2_mounts,
                      {"proc/self/cgroup", "0::/../../other\n"},
                      {"sys/other/cpu.max", "10000 100000\n"},
                      {"sys/fs/cgroup/cpu.max", "50000 100000\n"}}),
            0.5);
}

TEST(CgroupQuota, MountPointsMayHoldBlanks) {
  EXPECT_EQ(quota_in({{"proc/self/mountinfo",
                       "31 22 0:27 / /my\\040groups rw shared:4 master:1 - cgroup2 none rw\n"},
                      v2_at_top,
                      {"my groups/cpu.max", "50000 100000\n"}}),
            0.5);
}

TEST(CgroupQuota, WithoutMountinfoTheUsualPlacesAreTried) {
  EXPECT_EQ(quota_in({v2_at_top, {"sys/fs/cgroup/cpu.max", "50000 100000\n"}}), 0.5);
  EXPECT_EQ(quota_in({{"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n"},
                      {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}),
            2.5);
}

TEST(CgroupQuota, AFileThatCannotBeReadIsNoLimit) {
  EXPECT_EQ(quota_in({v2_mounts, v2_at_top, {"sys/fs/cgroup/cpu.max/child", ""}}), std::nullopt);
}

TEST(CgroupQuota, OfThisMachineCanBeRead) {
  const cpu_supply supply = available_cpus();
  EXPECT_FALSE(supply.affinity.empty());
  EXPECT_TRUE(!supply.quota || *supply.quota > 0);
}

TEST(AutomaticWorkers, AreTheCpusWithinTheQuotaRoundedUp) {
  struct workers_row {
    std::size_t cpus;
    std::optional<double> quota;
    unsigned workers;
  };
  const workers_row rows[] = {
      {1, {}, 1},       {8, {}, 8},           {8, 2.0, 2},   {8, 2.1, 3},
      {8, 0.5, 1},      {8, 0.001, 1},        {8, 64.0, 8},  {1, 0.5, 1},
      {4096, {}, 1024}, {4096, 2000.0, 1024}, {2, 1e300, 2},
  };
  for (const auto& [cpus, quota, workers] : rows) {
    EXPECT_EQ(automatic_workers(cpus, quota), workers) << cpus << ' ' << quota.value_or(-1);
  }
}

TEST(CpuList, IsReadInTheOrderWritten) {
  struct list_row {
    std::string_view text;
    std::optional<cpu_list> cpus;
  };
  const list_row rows[] = {
      {"0", {{0}}},
      {"0-3,8", {{0, 1, 2, 3, 8}}},
      {"8,0-1", {{8, 0, 1}}},
      {"2-2", {{2}}},
      {"65535", {{65535}}},
      {"", {}},
      {",", {}},
      {"0,", {}},
      {",0", {}},
      {"0,,1", {}},
      {"9-1", {}},
      {"-1", {}},
      {"1-", {}},
      {"-", {}},
      {"0-1-2", {}},
      {"0 ,1", {}},
      {" 0", {}},
      {"a", {}},
      {"0x1", {}},
      {"0,0", {}},
      {"0-3,2", {}},
      {"65536", {}},
      {"0-4294967296", {}},
      {"18446744073709551616", {}},
      {"0-65535,0-65535,0-65535", {}},
      {"0;1", {}},
  };
  for (const auto& [text, cpus] : rows) {
    const reading<cpu_list> read = read_cpu_list(text);
    EXPECT_EQ(read.value, cpus) << quoted_text(text);
    EXPECT_EQ(read.why.empty(), cpus.has_value()) << quoted_text(text);
  }
}

TEST(CpuList, IsPrintedAsRuns) {
  EXPECT_EQ(cpu_list_text({}), "");
  EXPECT_EQ(cpu_list_text({5}), "5");
  EXPECT_EQ(cpu_list_text({0, 1, 2, 3, 8}), "0-3,8");
  EXPECT_EQ(cpu_list_text({8, 0, 1}), "8,0-1");
}

TEST(Pin, PlacesWorkersRoundRobin) {
  const cpu_list mask = {0, 2, 4, 6};
  EXPECT_EQ(read_pin("none", mask).value, cpu_list());
  EXPECT_EQ(read_pin("compact", mask).value, mask);
  EXPECT_EQ(read_pin("list:6,0", mask).value, (cpu_list{6, 0}));

  EXPECT_EQ(cpu_of_worker({}, 3), std::nullopt);
  EXPECT_EQ(cpu_of_worker({6, 0}, 0), 6U);
  EXPECT_EQ(cpu_of_worker({6, 0}, 1), 0U);
  EXPECT_EQ(cpu_of_worker({6, 0}, 2), 6U);
}

TEST(Pin, RefusesWhatIsNoPlanWithinTheMask) {
  const cpu_list mask = {0, 2, 4, 6};
  for (const std::string_view text :
       {"", "list", "list:", "list:9-1", "list:0,,2", "list:0,0", "list:0-", "list: 0", "list:x",
        "list:1", "list:0-3", "list:1000", "None", "compact ", "spread", "0", "0-3", "list:-1"}) {
    const reading<cpu_list> read = read_pin(text, mask);
    EXPECT_FALSE(read.value) << quoted_text(text);
    EXPECT_FALSE(read.why.empty()) << quoted_text(text);
  }
  EXPECT_EQ(read_pin("list:0-3", mask).why, "names a CPU outside the affinity mask");
}

TEST(Affinity, FollowsTheMaskOfTheCallingThread) {
  const cpu_list before = affinity();
  ASSERT_FALSE(before.empty());
  EXPECT_TRUE(std::is_sorted(before.begin(), before.end()));
  cpu_list pinned;
  bool done = false;
  int cpu = -1;
  std::thread([&] {
    done = pin_current_thread(before.back());
    pinned = affinity();
    cpu = sched_getcpu();
  }).join();
  EXPECT_TRUE(done);
  EXPECT_EQ(pinned, cpu_list{before.back()});
  EXPECT_EQ(cpu, static_cast<int>(before.back()));
  EXPECT_EQ(affinity(), before) << "the thread that called is as it was";
}

TEST(Affinity, ACpuThatDoesNotExistIsRefused) {
  cpu_list after;
  const cpu_list before = affinity();
  bool done = true;
  std::thread([&] {
    done = pin_current_thread(65535);
    after = affinity();
  }).join();
  EXPECT_FALSE(done);
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace coppice::detail
