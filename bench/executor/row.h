// The rows of the executor's suite, one file each.
#pragma once

#include <span>

#include "bench/support/row.h"

namespace bench::executor_suite {

std::span<const row> deque_rows() noexcept;
std::span<const row> frame_rows() noexcept;
std::span<const row> spawn_rows() noexcept;
std::span<const row> hop_rows() noexcept;
std::span<const row> foreign_rows() noexcept;
std::span<const row> parking_rows() noexcept;
std::span<const row> timer_rows() noexcept;
std::span<const row> worker_rows() noexcept;

}  // namespace bench::executor_suite
