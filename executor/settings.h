// What a runtime really uses: options from code, the environment and the defaults, resolved once.
#pragma once

#include <coppice/options.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "executor/cpu.h"
#include "executor/settings_table.h"

namespace coppice::inline v0::detail {

enum class setting_source : std::uint8_t { code, environment, standard };

struct settings {
  options effective = {};  // Every field is set; strings live as long as this or a copy of it.
  std::array<setting_source, setting_count> sources = {};  // In the order of setting_table().

  cpu_supply supply = {};  // What the defaults were computed from.
  cpu_list pin_plan = {};  // For cpu_of_worker(); empty: workers are not pinned.
  display_mode display_env = display_mode::off;
  std::optional<std::uint64_t> test_seed = {};

  std::vector<std::string> warnings = {};  // Also those that an earlier runtime has printed.

  std::shared_ptr<const std::string> pin_text = {};  // What effective.pin points to.
};

// Reads the environment, and warns on stderr of what is wrong there: once in a process for a
// variable and its value. Throws usage_error for a value in code that is out of range, and, where
// strict, for everything it would have warned of. The supply is a parameter for tests.
settings resolve(const options& from_code, const cpu_supply& supply = available_cpus());

// What COPPICE_DISPLAY_ENV asks for, also if it asks for nothing; ends with a newline.
std::string display_text(const settings& resolved, std::string_view library_version);

// Prints that to stderr if COPPICE_DISPLAY_ENV says so. For the start of a runtime.
void display_at_start(const settings& resolved, std::string_view library_version);

}  // namespace coppice::inline v0::detail
