// What does it cost to spawn a child into a group and to join it, beside oneTBB's task_group; and if it fails?
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "bench/supervision/growing.h"
#include "bench/support/crowd.h"
#include "bench/support/worker_time.h"
#include "bench/unwind/failures.h"

namespace bench::supervision_suite {
namespace {

constexpr std::size_t children = 10'000;

// Counts without sharing a line with others: one place a child.
using places = std::vector<std::uint8_t>;

task<> touch(places& all, std::size_t which) {
  all[which] = 1;
  co_return;
}

void require_all(const places& all) {
  for (const std::uint8_t each : all) {
    require(each == 1, "a child has not run");
  }
}

task<> coppice_rounds(std::size_t rounds, places& all) {
  for (std::size_t round = 0; round != rounds; ++round) {
    const auto body = [&](task_group& group) -> task<> {
      for (std::size_t i = 0; i != all.size(); ++i) {
        group.spawn(touch(all, i));
      }
      co_return;
    };
    co_await coppice::with_group(body);
  }
}

void onetbb_rounds(std::size_t rounds, places& all) {
  for (std::size_t round = 0; round != rounds; ++round) {
    tbb::task_group group;
    for (std::size_t i = 0; i != all.size(); ++i) {
      group.run([&all, i] { all[i] = 1; });
    }
    group.wait();
  }
}

// In turns, the least of all rounds.
numbers spawn_join(const setting& at) {
  runtime on(options_for(at, others::search));
  tbb::task_arena arena(static_cast<int>(at.workers));
  const std::size_t rounds = at.scaled(50);
  const auto each = static_cast<double>(rounds * children);
  double ours = 1e18;
  double theirs = 1e18;
  for (int turn = 0; turn != 5; ++turn) {
    places all(children, 0);
    auto begun = clock::now();
    on.block_on(coppice_rounds(rounds, all));
    ours = std::min(ours, ns_since(begun) / each);
    require_all(all);
    all.assign(children, 0);
    begun = clock::now();
    arena.execute([&] { onetbb_rounds(rounds, all); });
    theirs = std::min(theirs, ns_since(begun) / each);
    require_all(all);
  }
  return numbers(ours).add("ns_onetbb", theirs).add("onetbb_over_coppice", theirs / ours);
}

// Beside the same children when they return.
numbers collect_failures(const setting& at) {
  runtime on(options_for(at, others::search));
  double failing = 1e18;
  double ending = 1e18;
  for (std::size_t turn = at.quick ? 2 : 10; turn != 0; --turn) {
    failing = std::min(failing, unwind_suite::ns_to_collect(on, children));
    ending = std::min(ending, unwind_suite::ns_to_join(on, children));
  }
  return numbers(failing).add("ns_child", ending).add("ns_added", failing - ending);
}

constexpr row rows[] = {
    {"group/spawn_join", 1, &spawn_join},
    {"group/spawn_join", 2, &spawn_join},
    {"group/collect_failures", 1, &collect_failures},
    {"group/collect_failures", 2, &collect_failures},
};

}  // namespace

double ns_to_spawn_and_join(runtime& on, std::size_t size) {
  places all(size, 0);
  const double ns = on.block_on(time_on_worker(coppice_rounds(1, all)));
  require_all(all);
  return ns / static_cast<double>(size);
}

std::span<const row> group_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
