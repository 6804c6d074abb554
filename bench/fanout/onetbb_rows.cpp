// How soon are the flags of nested contexts up, when the outermost is cancelled? Nobody waits for them, or is told.
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "bench/fanout/row.h"
#include "bench/fanout/scene.h"
#include "bench/fanout/tree.h"

namespace bench::fanout_suite {
namespace {

using contexts = std::vector<tbb::task_group_context>;

// A context belongs to the one in which its first task was started.
void start_first_task(tbb::task_group_context& in) {
  tbb::task_group(in).run_and_wait([] {});
}

// A context for each group and each leaf.
void nest(const tree& groups, contexts& of_groups, contexts& of_leaves) {
  start_first_task(of_groups[0]);
  for (std::size_t i = 0; i != groups.size(); ++i) {
    tbb::task_group(of_groups[i]).run_and_wait([&] {
      for (const std::size_t inner : groups[i].groups) {
        start_first_task(of_groups[inner]);
      }
      for (std::size_t which = 0; which != groups[i].leaves; ++which) {
        start_first_task(of_leaves[groups[i].first_leaf + which]);
      }
    });
  }
}

// A leaf is observed when the canceller has looked at its flag, at one after the other once the call has returned.
fan_out cancel(const tree& groups, crowd& all) {
  fan_out one;
  contexts of_groups(groups.size());
  contexts of_leaves(all.size());
  nest(groups, of_groups, of_leaves);
  one.begun = ticks_now();
  of_groups[0].cancel_group_execution();
  one.returned = ticks_now();
  for (std::size_t i = 0; i != all.size(); ++i) {
    const crowd::mark seen(all, i);
    require(of_leaves[i].is_group_execution_cancelled(), "a leaf's flag is not up");
  }
  return one;
}

numbers measure(const scene& at, const setting& how) {
  const tree groups = make_tree(at);
  crowd all(at.leaves);
  tbb::task_arena arena(static_cast<int>(how.workers));
  return observed_and_returned(repeat(at, how, all, [&] {
    fan_out one;
    arena.execute([&] { one = cancel(groups, all); });
    return one;
  }));
}

}  // namespace

std::span<const row> onetbb_rows() noexcept {
  return rows_of<headlines<contender::onetbb>, &measure>;
}

}  // namespace bench::fanout_suite
