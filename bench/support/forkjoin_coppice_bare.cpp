// The fork-join programs on what gather() stands on: no fork is a scope.
#include <coppice/detail/fork_join.h>

#include <utility>

#include "bench/support/forkjoin_coroutines.h"

namespace bench {
struct bare {
  template <class... T>
  [[gnu::always_inline]] static auto all(task<T>&&... children) noexcept {
    return coppice::detail::fork_join<coppice::detail::parent_scope>(std::move(children)...);
  }
  template <class Fn, class Out>
  [[gnu::always_inline]] static auto each(std::size_t n, const Fn& child, Out results) noexcept {
    return coppice::detail::fork_join_n<coppice::detail::parent_scope>(n, child, results);
  }
};

std::unique_ptr<fork_join> start_coppice_bare(unsigned threads) {
  return std::make_unique<coppice_runtime<bare>>(threads);
}

}  // namespace bench
