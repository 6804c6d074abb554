// The table of COPPICE_ variables: names, fields, ranges, defaults, and how their values are read.
#pragma once

#include <coppice/options.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "executor/cpu.h"
#include "executor/setting_text.h"

namespace coppice::inline v0::detail {

enum class display_mode : std::uint8_t { off, on, verbose };

// Options, and what only the environment sets.
struct setting_values : options {
  std::optional<display_mode> display_env = {};
  std::optional<std::uint64_t> test_seed = {};
};

// Numbers, sizes, switches and choices are integers. Nothing (monostate) stands for an empty field
// and for a default that is computed when the runtime starts.
using setting_value = std::variant<std::monostate, std::uint64_t, duration, std::string_view>;

enum class setting_form : std::uint8_t { count, size, time, word, cpus };

// A value with a name of its own, such as "unlimited".
struct setting_word {
  std::string_view text;
  setting_value value;
};

struct setting {
  std::string_view name;
  std::string_view field = {};  // In options; empty if only the environment sets it.
  setting_form form;
  std::span<const setting_word> words = {};
  setting_value lowest = {};  // Bounds of counts, sizes and times; nothing for the other forms.
  setting_value highest = {};
  std::string_view standard;        // The default, as it could be written in the variable.
  std::string_view exception = {};  // When it is another one.
  std::string_view meaning;
  bool in_effect = true;  // Something obeys it, so the README, displays and advice may name it.
  setting_value (*get)(const setting_values& values);
  void (*set)(setting_values& values, const setting_value& value);
};

inline constexpr std::size_t setting_count = 17;

std::span<const setting, setting_count> setting_table() noexcept;

// Names that are set aside: nothing reads them, and nobody is warned of them.
std::span<const std::string_view> reserved_names() noexcept;

// The setting of that name (with COPPICE_), or null.
const setting* find_setting(std::string_view name) noexcept;

// The name in effect that was probably meant by an unknown one, or empty.
std::string_view nearest_name(std::string_view unknown);

// A value in range, within that affinity mask. What is asked for by a word may be nothing.
reading<setting_value> read_setting(const setting& which, std::string_view text,
                                    const cpu_list& affinity);

// Empty if the value, which is not nothing, can be used; otherwise why not, as in reading.
std::string_view why_refused(const setting& which, const setting_value& value,
                             const cpu_list& affinity);

std::string value_text(const setting& which, const setting_value& value);
std::string range_text(const setting& which);    // "auto, 1..1024"
std::string default_text(const setting& which);  // "20us, 0 if ..."

// The README's table of the variables in effect, in Markdown, ending with a newline.
std::string settings_markdown_table();

}  // namespace coppice::inline v0::detail
