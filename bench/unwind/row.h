// The rows of the suite about unwinding, one file a question.
#pragma once

#include <span>

#include "bench/support/row.h"

namespace bench::unwind_suite {

std::span<const row> way_rows() noexcept;
std::span<const row> throughput_rows() noexcept;
std::span<const row> group_rows() noexcept;

}  // namespace bench::unwind_suite
