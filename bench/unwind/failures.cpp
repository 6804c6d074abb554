// Children, and how their group ends.
#include "bench/unwind/failures.h"

#include <stdexcept>

#include "bench/support/opaque.h"
#include "bench/support/row.h"

namespace bench::unwind_suite {
namespace {

using coppice::task;

BENCH_OPAQUE task<> fail(std::size_t which) {
  throw std::out_of_range(which % 2 == 0 ? "an even child" : "an odd child");
  co_return;
}

BENCH_OPAQUE task<> end(std::size_t) {
  co_return;
}

// `right` says whether the group has ended as it should.
template <class Right>
task<double> time_group(std::size_t children, task<> (*child)(std::size_t), Right right) {
  constexpr coppice::group_options collecting = {.on_failure =
                                                     coppice::on_child_failure::collect_all};
  const auto body = [=](coppice::task_group& group) -> task<> {
    for (std::size_t i = 0; i != children; ++i) {
      group.spawn(child(i));
    }
    co_return;
  };
  const auto begun = clock::now();
  const coppice::outcome<> ended =
      co_await coppice::as_result(coppice::with_group(collecting, body));
  const double ns = ns_since(begun);
  require(right(ended), "a failure was lost, or there was one of nobody's");
  co_return ns / static_cast<double>(children);
}

}  // namespace

double ns_to_collect(coppice::runtime& on, std::size_t children) {
  const auto all_failed = [children](const coppice::outcome<>& ended) {
    const auto* const group = ended.entry().get_if<coppice::exception_group>();
    return group != nullptr && group->leaf_count() == children;
  };
  return on.block_on(time_group(children, &fail, all_failed));
}

double ns_to_join(coppice::runtime& on, std::size_t children) {
  const auto completed = [](const coppice::outcome<>& ended) { return ended.completed(); };
  return on.block_on(time_group(children, &end, completed));
}

}  // namespace bench::unwind_suite
