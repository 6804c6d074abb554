// The rows of the suite about polling, one file a system.
#pragma once

#include <span>

#include "bench/support/row.h"

namespace bench::poll_suite {

std::span<const row> coppice_rows() noexcept;
std::span<const row> std_rows() noexcept;
std::span<const row> onetbb_rows() noexcept;

}  // namespace bench::poll_suite
