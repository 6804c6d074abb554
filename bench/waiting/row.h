// The rows of the suite about waiting. Each is called <system>/<case>.
#pragma once

#include <span>

#include "bench/support/row.h"

namespace bench::waiting_suite {

std::span<const row> channel_rows() noexcept;
std::span<const row> thread_queue_rows() noexcept;
std::span<const row> asio_rows() noexcept;  // None, where it is not installed.
std::span<const row> lock_rows() noexcept;
std::span<const row> loop_rows() noexcept;
std::span<const row> event_rows() noexcept;
std::span<const row> select_rows() noexcept;
std::span<const row> blocking_rows() noexcept;

}  // namespace bench::waiting_suite
