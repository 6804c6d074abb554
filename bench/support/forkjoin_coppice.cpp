// The fork-join programs on coppice: each fork can be cancelled, and fail, by itself.
#include <coppice/gather.h>

#include <utility>

#include "bench/support/forkjoin_coroutines.h"

namespace bench {
struct supervised {
  template <class... T>
  [[gnu::always_inline]] static auto all(task<T>&&... children) noexcept {
    return coppice::gather(std::move(children)...);
  }
  template <class Fn, class Out>
  [[gnu::always_inline]] static auto each(std::size_t n, const Fn& child, Out results) noexcept {
    return coppice::gather_n(n, child, results);
  }
};

std::unique_ptr<fork_join> start_coppice(unsigned threads) {
  return std::make_unique<coppice_runtime<supervised>>(threads);
}

}  // namespace bench
