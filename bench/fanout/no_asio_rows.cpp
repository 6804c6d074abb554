// Where Boost.Asio is not installed.
#include "bench/fanout/row.h"

namespace bench::fanout_suite {

std::span<const row> asio_rows() noexcept {
  return {};
}

}  // namespace bench::fanout_suite
