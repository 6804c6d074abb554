// Where Boost.Asio is not installed.
#include "bench/waiting/row.h"

namespace bench::waiting_suite {

std::span<const row> asio_rows() noexcept {
  return {};
}

}  // namespace bench::waiting_suite
