// The phrases that exceptions and reports have in common. All allocate and may throw
// std::bad_alloc.
#pragma once

#include <coppice/cancel.h>

#include <chrono>
#include <string>
#include <string_view>

namespace coppice::inline v0::detail {

// "deadline: too slow", or the kind alone.
std::string reason_text(const cancel_reason& reason);

// "server.cpp:34", or nothing.
std::string site_text(const source_site& site);

// `task 12 "fetch"`, `task 12`, `task "fetch"`, or nothing.
std::string task_text(task_id id, std::string_view name);

// "250ms", "1.5s": in the largest unit that leaves at least one whole, to three places.
std::string duration_text(std::chrono::nanoseconds duration);

// `"name"`.
std::string quoted(std::string_view name);

}  // namespace coppice::inline v0::detail
