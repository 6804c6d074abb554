// How values of settings are written: whole numbers, sizes, durations, and reading them back.
#pragma once

#include <coppice/clock.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coppice::inline v0::detail {

// What a text means, or why it means nothing: the rest of a sentence that begins with the text, such
// as "is not a whole number". Points to static storage.
template <class T>
struct reading {
  std::optional<T> value = {};
  std::string_view why = {};
};

// Decimal digits and nothing else: no sign, blank, prefix or separator.
reading<std::uint64_t> read_count(std::string_view text) noexcept;

// Decimal digits, then K, M or G (or k, m, g), the powers of 1024, or nothing for bytes.
reading<std::uint64_t> read_size(std::string_view text) noexcept;

// As absl::ParseDuration has it ("200us", "1.5h", "1m30s", "inf"), but never negative. What a
// duration counts in is nanoseconds, so finite ones end at 292 years; "inf" is forever.
reading<duration> read_duration(std::string_view text);

std::string size_text(std::uint64_t bytes);
std::string exact_duration_text(duration span);

// In single quotes, so cut and escaped that a hostile value cannot forge a line of a log or fill it.
std::string quoted_text(std::string_view text);

// How many characters must be inserted, removed, replaced, or swapped with their neighbour to make
// one text of the other; case does not count. (Optimal string alignment.)
std::size_t edit_distance(std::string_view from, std::string_view to);

}  // namespace coppice::inline v0::detail
