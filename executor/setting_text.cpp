#include "executor/setting_text.h"

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <system_error>
#include <vector>

namespace coppice::inline v0::detail {
namespace {

// Debian's absl::string_view is a type of its own.
absl::string_view to_absl(std::string_view text) {
  return {text.data(), text.size()};
}

int size_shift(char suffix) noexcept {
  switch (absl::ascii_toupper(static_cast<unsigned char>(suffix))) {
    case 'K':
      return 10;
    case 'M':
      return 20;
    case 'G':
      return 30;
    default:
      return 0;
  }
}

}  // namespace

reading<std::uint64_t> read_count(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const char* const end = std::to_address(text.end());
  const auto [stopped, error] = std::from_chars(std::to_address(text.begin()), end, value);
  if (error == std::errc::invalid_argument || stopped != end) {
    return {.why = "is not a whole number"};
  }
  if (error == std::errc::result_out_of_range) {
    return {.why = "is too large"};
  }
  return {.value = value};
}

reading<std::uint64_t> read_size(std::string_view text) noexcept {
  const int shift = text.empty() ? 0 : size_shift(text.back());
  if (shift != 0) {
    text.remove_suffix(1);
  }
  const reading<std::uint64_t> count = read_count(text);
  if (!count.value) {
    return {.why =
                count.why == "is too large" ? count.why : "is not a size like 65536, 256K or 1M"};
  }
  if (*count.value > std::numeric_limits<std::uint64_t>::max() >> shift) {
    return {.why = "is too large"};
  }
  return {.value = *count.value << shift};
}

reading<duration> read_duration(std::string_view text) {
  if (text == "0") {
    return {.value = duration::zero()};
  }
  if (!text.empty() && text.find_first_not_of("+-.0123456789") == std::string_view::npos) {
    return {.why = "has no unit; write it like 20us, 5ms or 1.5s"};
  }
  absl::Duration span;
  if (!absl::ParseDuration(to_absl(text), &span)) {
    return {.why = "is not a duration like 20us, 5ms or 1.5s"};
  }
  if (span < absl::ZeroDuration()) {
    return {.why = "is negative"};
  }
  if (span == absl::InfiniteDuration()) {
    return {.value = forever};
  }
  if (span >= absl::FromChrono(forever)) {
    return {.why = "is too large"};
  }
  return {.value = absl::ToChronoNanoseconds(span)};
}

std::string size_text(std::uint64_t bytes) {
  for (const char suffix : {'G', 'M', 'K'}) {
    const int shift = size_shift(suffix);
    if (bytes != 0 && bytes % (std::uint64_t{1} << shift) == 0) {
      return std::to_string(bytes >> shift) + suffix;
    }
  }
  return std::to_string(bytes);
}

std::string exact_duration_text(duration span) {
  return absl::FormatDuration(span == forever ? absl::InfiniteDuration() : absl::FromChrono(span));
}

std::string quoted_text(std::string_view text) {
  constexpr std::size_t longest = 80;
  const bool cut = text.size() > longest;
  return "'" + absl::Utf8SafeCEscape(to_absl(text.substr(0, longest))) + (cut ? "...'" : "'");
}

std::size_t edit_distance(std::string_view from, std::string_view to) {
  const std::string a = absl::AsciiStrToUpper(to_absl(from));
  const std::string b = absl::AsciiStrToUpper(to_absl(to));
  // rows[i][j]: the distance between the first i characters of a and the first j of b.
  std::vector rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        rows[i][j] = std::max(i, j);
        continue;
      }
      const std::size_t replaced = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[a.size()][b.size()];
}

}  // namespace coppice::inline v0::detail
