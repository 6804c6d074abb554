// The rows of the suite about supervision, one file each.
#pragma once

#include <span>

#include "bench/support/row.h"

namespace bench::supervision_suite {

std::span<const row> wait_rows() noexcept;
std::span<const row> memory_rows() noexcept;
std::span<const row> group_rows() noexcept;
std::span<const row> gather_rows() noexcept;
std::span<const row> scope_rows() noexcept;
std::span<const row> dump_rows() noexcept;
std::span<const row> growth_rows() noexcept;
std::span<const row> restart_rows() noexcept;

}  // namespace bench::supervision_suite
