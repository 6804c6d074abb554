#include "executor/settings_table.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <type_traits>

namespace coppice::inline v0::detail {
namespace {

using namespace std::chrono_literals;

using setting_form::count;
using setting_form::cpus;
using setting_form::size;
using setting_form::time;
using setting_form::word;

constexpr std::uint64_t kibi = 1024;
constexpr std::uint64_t mebi = 1024 * kibi;

constexpr setting_value integer(std::uint64_t value) {
  return value;
}

constexpr setting_value span_of(duration value) {
  return value;
}

constexpr setting_word named(std::string_view text, setting_value value) {
  return {.text = text, .value = value};
}

template <class Choice>
  requires std::is_enum_v<Choice> || std::is_integral_v<Choice>
constexpr setting_word named(std::string_view text, Choice value) {
  return named(text, integer(static_cast<std::uint64_t>(value)));
}

constexpr std::array automatic = {named("auto", setting_value())};
constexpr std::array of_the_system = {named("system", setting_value())};
constexpr std::array drawn = {named("drawn", setting_value())};
constexpr std::array off = {named("off", span_of(forever))};
constexpr std::array endless = {named("inf", span_of(forever))};
constexpr std::array unlimited = {named("unlimited", std::numeric_limits<std::size_t>::max())};
constexpr std::array switches = {named("0", 0),    named("1", 1),   named("false", 0),
                                 named("true", 1), named("off", 0), named("on", 1)};
constexpr std::array displays = {named("0", display_mode::off), named("1", display_mode::on),
                                 named("verbose", display_mode::verbose)};
constexpr std::array failures = {named("report", on_unhandled::report),
                                 named("terminate", on_unhandled::terminate),
                                 named("silent", on_unhandled::silent)};

constexpr std::array sharing = {named("share", tbb_threads::share), named("off", tbb_threads::off)};

template <auto Field>
setting_value get(const setting_values& values) {
  const auto& field = values.*Field;
  using value_type = typename std::remove_cvref_t<decltype(field)>::value_type;
  if (!field) {
    return {};
  }
  if constexpr (std::is_constructible_v<setting_value, std::in_place_type_t<value_type>>) {
    return *field;
  } else {
    return static_cast<std::uint64_t>(*field);
  }
}

template <auto Field>
void set(setting_values& values, const setting_value& value) {
  auto& field = values.*Field;
  using value_type = typename std::remove_cvref_t<decltype(field)>::value_type;
  if (std::holds_alternative<std::monostate>(value)) {
    field.reset();
  } else if constexpr (std::is_constructible_v<setting_value, std::in_place_type_t<value_type>>) {
    field = std::get<value_type>(value);
  } else {
    field = static_cast<value_type>(std::get<std::uint64_t>(value));
  }
}

constexpr std::array<setting, setting_count> table = {{
    {
        .name = "COPPICE_THREADS",
        .field = "threads",
        .form = count,
        .words = automatic,
        .lowest = integer(1),
        .highest = integer(1024),
        .standard = "auto",
        .meaning = "workers; auto = CPUs of the affinity mask (or of COPPICE_PIN's list), at most "
                   "the cgroup's quota (v1, v2, tightest ancestor) rounded up, at least 1",
        .get = get<&setting_values::threads>,
        .set = set<&setting_values::threads>,
    },
    {
        .name = "COPPICE_PIN",
        .field = "pin",
        .form = cpus,
        .standard = "none",
        .meaning = "worker i on the i-th CPU of the affinity mask or of the list; a list outside "
                   "the mask is an error",
        .get = get<&setting_values::pin>,
        .set = set<&setting_values::pin>,
    },
    {
        .name = "COPPICE_SPIN",
        .field = "spin",
        .form = time,
        .lowest = span_of(0ns),
        .highest = span_of(10ms),
        .standard = "20us",
        .exception = "0 if quota or CPUs < workers",
        .meaning = "busy search before an idle worker parks",
        .get = get<&setting_values::spin>,
        .set = set<&setting_values::spin>,
    },
    {
        .name = "COPPICE_YIELD_BUDGET",
        .field = "yield_budget",
        .form = count,
        .lowest = integer(1),
        .highest = integer(65535),
        .standard = "128",
        .meaning = "ready awaits before a forced yield",
        .get = get<&setting_values::yield_budget>,
        .set = set<&setting_values::yield_budget>,
    },
    {
        .name = "COPPICE_MAX_TASKS",
        .field = "max_tasks",
        .form = count,
        .words = unlimited,
        .lowest = integer(1),
        .highest = unlimited[0].value,
        .standard = "unlimited",
        .meaning = "live tasks of a runtime; over it spawn throws resource_exhausted",
        .get = get<&setting_values::max_tasks>,
        .set = set<&setting_values::max_tasks>,
    },
    {
        .name = "COPPICE_FRAME_CACHE",
        .field = "frame_cache",
        .form = size,
        .lowest = integer(0),
        .highest = integer(64 * mebi),
        .standard = "256K",
        .meaning = "memory for frames that each idle worker keeps",
        .get = get<&setting_values::frame_cache>,
        .set = set<&setting_values::frame_cache>,
    },
    {
        .name = "COPPICE_STACK_SIZE",
        .field = "stack_size",
        .form = size,
        .words = of_the_system,
        .lowest = integer(64 * kibi),
        .highest = integer(64 * mebi),
        .standard = "system",
        .meaning = "stack of a worker; system = what a new thread gets",
        .get = get<&setting_values::stack_size>,
        .set = set<&setting_values::stack_size>,
    },
    {
        .name = "COPPICE_BLOCKING_THREADS",
        .field = "blocking_threads",
        .form = count,
        .lowest = integer(1),
        .highest = integer(4096),
        .standard = "64",
        .meaning = "most threads of spawn_blocking",
        .get = get<&setting_values::blocking_threads>,
        .set = set<&setting_values::blocking_threads>,
    },
    {
        .name = "COPPICE_SHUTDOWN_TIMEOUT",
        .field = "shutdown_timeout",
        .form = time,
        .words = endless,
        .lowest = span_of(0ns),
        .highest = span_of(forever),
        .standard = "30s",
        .meaning = "grace before the stuck are reported with a dump",
        .get = get<&setting_values::shutdown_timeout>,
        .set = set<&setting_values::shutdown_timeout>,
    },
    {
        .name = "COPPICE_WATCHDOG",
        .field = "watchdog",
        .form = time,
        .words = off,
        .lowest = span_of(1ms),
        .highest = span_of(1h),
        .standard = "off",
        .meaning = "report a task that holds a worker longer, with its stack",
        .in_effect = false,
        .get = get<&setting_values::watchdog>,
        .set = set<&setting_values::watchdog>,
    },
    {
        .name = "COPPICE_CANCEL_WATCHDOG",
        .field = "cancel_watchdog",
        .form = time,
        .words = off,
        .lowest = span_of(1ms),
        .highest = span_of(1h),
        .standard = "1s",
        .meaning = "report a task still alive this long after its cancel",
        .get = get<&setting_values::cancel_watchdog>,
        .set = set<&setting_values::cancel_watchdog>,
    },
    {
        .name = "COPPICE_UNHANDLED",
        .field = "unhandled",
        .form = word,
        .words = failures,
        .standard = "report",
        .meaning = "what becomes of a failure nobody took",
        .get = get<&setting_values::unhandled>,
        .set = set<&setting_values::unhandled>,
    },
    {
        .name = "COPPICE_DEBUG",
        .field = "debug",
        .form = word,
        .words = switches,
        .standard = "0",
        .meaning = "backtraces of spawn and of the canceller",
        .get = get<&setting_values::debug>,
        .set = set<&setting_values::debug>,
    },
    {
        .name = "COPPICE_TBB",
        .field = "tbb",
        .form = word,
        .words = sharing,
        .standard = "share",
        .meaning = "who runs the algorithms of coppice/tbb.h: share, the workers; off, oneTBB's "
                   "own threads",
        .get = get<&setting_values::tbb>,
        .set = set<&setting_values::tbb>,
    },
    {
        .name = "COPPICE_STRICT",
        .field = "strict",
        .form = word,
        .words = switches,
        .standard = "0",
        .meaning = "a bad or unknown COPPICE_ variable is an error, not a warning",
        .get = get<&setting_values::strict>,
        .set = set<&setting_values::strict>,
    },
    {
        .name = "COPPICE_DISPLAY_ENV",
        .form = word,
        .words = displays,
        .standard = "0",
        .meaning = "print the settings in effect, versions, CPUs, affinity and quota at start; "
                   "verbose: with ranges and meanings",
        .get = get<&setting_values::display_env>,
        .set = set<&setting_values::display_env>,
    },
    {
        .name = "COPPICE_TEST_SEED",
        .form = count,
        .words = drawn,
        .lowest = integer(0),
        .highest = integer(std::numeric_limits<std::uint64_t>::max()),
        .standard = "drawn",
        .meaning = "seed of test_runtime",
        .get = get<&setting_values::test_seed>,
        .set = set<&setting_values::test_seed>,
    },
}};

constexpr std::array<std::string_view, 5> reserved = {
    "COPPICE_TRACE",     "COPPICE_TRACE_BUFFER", "COPPICE_TREE_SIGNAL",
    "COPPICE_TREE_FILE", "COPPICE_METRICS",
};

static_assert(option_origins{}.marks.size() >= setting_count);

// The value of a text that is none of the setting's words.
reading<setting_value> read_form(const setting& which, std::string_view text) {
  const auto generalized = [](const auto& read) -> reading<setting_value> {
    if (!read.value) {
      return {.why = read.why};
    }
    return {.value = setting_value(*read.value)};
  };
  switch (which.form) {
    case count:
      return generalized(read_count(text));
    case size:
      return generalized(read_size(text));
    case time:
      return generalized(read_duration(text));
    case word:
      return {.why = "is not a value it can have"};
    case cpus:
      break;
  }
  return {.value = setting_value(text)};
}

std::string number_text(const setting& which, std::uint64_t number) {
  return which.form == size ? size_text(number) : std::to_string(number);
}

}  // namespace

std::span<const setting, setting_count> setting_table() noexcept {
  return table;
}

std::span<const std::string_view> reserved_names() noexcept {
  return reserved;
}

const setting* find_setting(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(table, name, &setting::name);
  return found == table.end() ? nullptr : found;
}

std::string_view nearest_name(std::string_view unknown) {
  constexpr std::size_t prefix_size = std::string_view("COPPICE_").size();
  constexpr std::size_t longest_worth_comparing = 64;
  std::string_view nearest;
  if (unknown.size() > longest_worth_comparing) {
    return nearest;
  }
  std::size_t least = 4;
  for (const setting& each : table) {
    const std::size_t distance = edit_distance(unknown, each.name);
    // One slip in every three characters, else PIN would be the answer to anything short.
    const std::size_t bearable = (each.name.size() - prefix_size) / 3;
    if (each.in_effect && distance < least && distance <= bearable) {
      least = distance;
      nearest = each.name;
    }
  }
  return nearest;
}

reading<setting_value> read_setting(const setting& which, std::string_view text,
                                    const cpu_list& affinity) {
  const auto named = std::ranges::find(which.words, text, &setting_word::text);
  if (named != which.words.end()) {
    return {.value = named->value};
  }
  reading<setting_value> read = read_form(which, text);
  if (read.value) {
    const std::string_view why = why_refused(which, *read.value, affinity);
    if (!why.empty()) {
      return {.why = why};
    }
  }
  return read;
}

std::string_view why_refused(const setting& which, const setting_value& value,
                             const cpu_list& affinity) {
  if (std::ranges::find(which.words, value, &setting_word::value) != which.words.end()) {
    return {};
  }
  switch (which.form) {
    case word:
      return "is not a value it can have";
    case cpus:
      return read_pin(std::get<std::string_view>(value), affinity).why;
    case count:
    case size:
    case time:
      break;
  }
  return which.lowest <= value && value <= which.highest ? "" : "is out of range";
}

std::string value_text(const setting& which, const setting_value& value) {
  const auto named = std::ranges::find(which.words, value, &setting_word::value);
  if (named != which.words.end()) {
    return std::string(named->text);
  }
  if (const auto* number = std::get_if<std::uint64_t>(&value)) {
    return number_text(which, *number);
  }
  if (const auto* span = std::get_if<duration>(&value)) {
    return exact_duration_text(*span);
  }
  const auto* text = std::get_if<std::string_view>(&value);
  return text != nullptr ? std::string(*text) : std::string();
}

std::string range_text(const setting& which) {
  if (which.form == cpus) {
    return "none, compact, list:0-3,8";
  }
  std::string text;
  for (const setting_word& each : which.words) {
    if (each.value != which.highest) {
      text += (text.empty() ? "" : ", ") + std::string(each.text);
    }
  }
  if (which.form != word) {
    text += (text.empty() ? "" : ", ") + value_text(which, which.lowest) + ".." +
            value_text(which, which.highest);
  }
  return text;
}

std::string default_text(const setting& which) {
  const std::string text(which.standard);
  return which.exception.empty() ? text : text + ", " + std::string(which.exception);
}

std::string settings_markdown_table() {
  std::string text = "| variable | default | range | meaning |\n|---|---|---|---|\n";
  for (const setting& each : table) {
    if (each.in_effect) {
      text += "| `" + std::string(each.name) + "` | " + default_text(each) + " | " +
              range_text(each) + " | " + std::string(each.meaning) + " |\n";
    }
  }
  return text;
}

}  // namespace coppice::inline v0::detail
