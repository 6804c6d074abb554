// The rows of the suite about fan-outs, one file a system.
#pragma once

#include <span>

#include "bench/support/row.h"

namespace bench::fanout_suite {

std::span<const row> coppice_rows() noexcept;
std::span<const row> limit_rows() noexcept;
std::span<const row> stop_token_rows() noexcept;
std::span<const row> onetbb_rows() noexcept;
std::span<const row> asio_rows() noexcept;  // None, where it is not installed.

}  // namespace bench::fanout_suite
