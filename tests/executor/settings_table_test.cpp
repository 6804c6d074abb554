#include "executor/settings_table.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

const cpu_list mask = {0, 1, 2, 3, 8};

const setting& named(std::string_view name) {
  return *find_setting(name);
}

reading<setting_value> read(std::string_view name, std::string_view text) {
  return read_setting(named(name), text, mask);
}

constexpr setting_value number(std::uint64_t value) {
  return value;
}

constexpr setting_value span(duration value) {
  return value;
}

struct good_row {
  std::string_view name;
  std::string_view text;
  setting_value value;
};

TEST(SettingsTable, ReadsEveryVariable) {
  const good_row rows[] = {
      {"COPPICE_THREADS", "auto", {}},
      {"COPPICE_THREADS", "1", number(1)},
      {"COPPICE_THREADS", "1024", number(1024)},
      {"COPPICE_PIN", "none", std::string_view("none")},
      {"COPPICE_PIN", "compact", std::string_view("compact")},
      {"COPPICE_PIN", "list:0-3,8", std::string_view("list:0-3,8")},
      {"COPPICE_SPIN", "0", span(0ns)},
      {"COPPICE_SPIN", "10ms", span(10ms)},
      {"COPPICE_YIELD_BUDGET", "1", number(1)},
      {"COPPICE_YIELD_BUDGET", "65535", number(65535)},
      {"COPPICE_MAX_TASKS", "1", number(1)},
      {"COPPICE_MAX_TASKS", "unlimited", number(SIZE_MAX)},
      {"COPPICE_FRAME_CACHE", "0", number(0)},
      {"COPPICE_FRAME_CACHE", "64M", number(64 << 20)},
      {"COPPICE_STACK_SIZE", "system", {}},
      {"COPPICE_STACK_SIZE", "64K", number(65536)},
      {"COPPICE_STACK_SIZE", "67108864", number(64 << 20)},
      {"COPPICE_BLOCKING_THREADS", "4096", number(4096)},
      {"COPPICE_SHUTDOWN_TIMEOUT", "0", span(0ns)},
      {"COPPICE_SHUTDOWN_TIMEOUT", "inf", span(forever)},
      {"COPPICE_WATCHDOG", "off", span(forever)},
      {"COPPICE_WATCHDOG", "1ms", span(1ms)},
      {"COPPICE_CANCEL_WATCHDOG", "1h", span(1h)},
      {"COPPICE_CANCEL_WATCHDOG", "off", span(forever)},
      {"COPPICE_UNHANDLED", "report", number(0)},
      {"COPPICE_UNHANDLED", "terminate", number(1)},
      {"COPPICE_UNHANDLED", "silent", number(2)},
      {"COPPICE_DEBUG", "1", number(1)},
      {"COPPICE_DEBUG", "off", number(0)},
      {"COPPICE_STRICT", "true", number(1)},
      {"COPPICE_STRICT", "false", number(0)},
      {"COPPICE_DISPLAY_ENV", "verbose", number(2)},
      {"COPPICE_TEST_SEED", "0", number(0)},
      {"COPPICE_TEST_SEED", "18446744073709551615", number(UINT64_MAX)},
      {"COPPICE_TEST_SEED", "drawn", {}},
  };
  for (const auto& [name, text, value] : rows) {
    EXPECT_EQ(read(name, text).value, value) << name << ' ' << text;
  }
}

struct bad_row {
  std::string_view name;
  std::string_view text;
  std::string_view why;
};

constexpr std::string_view no_number = "is not a whole number";
constexpr std::string_view no_size = "is not a size like 65536, 256K or 1M";
constexpr std::string_view no_span = "is not a duration like 20us, 5ms or 1.5s";
constexpr std::string_view no_unit = "has no unit; write it like 20us, 5ms or 1.5s";
constexpr std::string_view no_word = "is not a value it can have";
constexpr std::string_view out_of_range = "is out of range";
constexpr std::string_view too_large = "is too large";
constexpr std::string_view no_list = "is not a list of CPUs like 0-3,8";
constexpr std::string_view no_pin = "is neither none, compact nor a list of CPUs like list:0-3,8";

TEST(SettingsTable, RefusesBadValuesAndSaysWhy) {
  const bad_row rows[] = {
      {"COPPICE_THREADS", "0", out_of_range},
      {"COPPICE_THREADS", "1025", out_of_range},
      {"COPPICE_THREADS", "-1", no_number},
      {"COPPICE_THREADS", "+4", no_number},
      {"COPPICE_THREADS", "1e9", no_number},
      {"COPPICE_THREADS", "abc", no_number},
      {"COPPICE_THREADS", "4294967297", out_of_range},  // 1 in 32 bits
      {"COPPICE_THREADS", "18446744073709551616", too_large},
      {"COPPICE_THREADS", "99999999999999999999999", too_large},
      {"COPPICE_THREADS", " 4", no_number},
      {"COPPICE_THREADS", "4 ", no_number},
      {"COPPICE_THREADS", " ", no_number},
      {"COPPICE_THREADS", "4x", no_number},
      {"COPPICE_THREADS", "0x4", no_number},
      {"COPPICE_THREADS", "4.0", no_number},
      {"COPPICE_THREADS", "1K", no_number},
      {"COPPICE_THREADS", "８", no_number},
      {"COPPICE_THREADS", "Auto", no_number},
      {"COPPICE_THREADS", "inf", no_number},
      {"COPPICE_SPIN", "20", no_unit},
      {"COPPICE_SPIN", "0.5", no_unit},
      {"COPPICE_SPIN", "-1us", "is negative"},
      {"COPPICE_SPIN", "11ms", out_of_range},
      {"COPPICE_SPIN", "inf", out_of_range},
      {"COPPICE_SPIN", "20 us", no_span},
      {"COPPICE_SPIN", "fast", no_span},
      {"COPPICE_SPIN", "9999999h", too_large},
      {"COPPICE_YIELD_BUDGET", "0", out_of_range},
      {"COPPICE_YIELD_BUDGET", "65536", out_of_range},
      {"COPPICE_MAX_TASKS", "0", out_of_range},
      {"COPPICE_MAX_TASKS", "-1", no_number},
      {"COPPICE_MAX_TASKS", "1K", no_number},
      {"COPPICE_FRAME_CACHE", "65M", out_of_range},
      {"COPPICE_FRAME_CACHE", "1Q", no_size},
      {"COPPICE_FRAME_CACHE", "K", no_size},
      {"COPPICE_FRAME_CACHE", "-1K", no_size},
      {"COPPICE_FRAME_CACHE", "17179869184G", too_large},
      {"COPPICE_STACK_SIZE", "0", out_of_range},
      {"COPPICE_STACK_SIZE", "1K", out_of_range},
      {"COPPICE_STACK_SIZE", "65535", out_of_range},
      {"COPPICE_STACK_SIZE", "1G", out_of_range},
      {"COPPICE_STACK_SIZE", "big", no_size},
      {"COPPICE_PIN", "list:", no_list},
      {"COPPICE_PIN", "list:0,,1", no_list},
      {"COPPICE_PIN", "list:9-1", "has a range that ends before it begins"},
      {"COPPICE_PIN", "list:0,0", "names a CPU twice"},
      {"COPPICE_PIN", "list:7", "names a CPU outside the affinity mask"},
      {"COPPICE_PIN", "list:0-4000000000", "names a CPU that no system has"},
      {"COPPICE_PIN", "0-3", no_pin},
      {"COPPICE_PIN", "NONE", no_pin},
      {"COPPICE_BLOCKING_THREADS", "0", out_of_range},
      {"COPPICE_BLOCKING_THREADS", "4097", out_of_range},
      {"COPPICE_SHUTDOWN_TIMEOUT", "30", no_unit},
      {"COPPICE_SHUTDOWN_TIMEOUT", "-inf", "is negative"},
      {"COPPICE_WATCHDOG", "0", out_of_range},
      {"COPPICE_WATCHDOG", "999us", out_of_range},
      {"COPPICE_WATCHDOG", "61m", out_of_range},
      {"COPPICE_CANCEL_WATCHDOG", "none", no_span},
      {"COPPICE_UNHANDLED", "ignore", no_word},
      {"COPPICE_UNHANDLED", "0", no_word},
      {"COPPICE_DEBUG", "2", no_word},
      {"COPPICE_DEBUG", "yes", no_word},
      {"COPPICE_STRICT", "-1", no_word},
      {"COPPICE_STRICT", "TRUE", no_word},
      {"COPPICE_DISPLAY_ENV", "2", no_word},
      {"COPPICE_TEST_SEED", "-1", no_number},
      {"COPPICE_TEST_SEED", "0xdead", no_number},
      {"COPPICE_TEST_SEED", "18446744073709551616", too_large},
  };
  for (const auto& [name, text, why] : rows) {
    const reading<setting_value> refused = read(name, text);
    EXPECT_FALSE(refused.value) << name << ' ' << quoted_text(text);
    EXPECT_EQ(refused.why, why) << name << ' ' << quoted_text(text);
  }
}

TEST(SettingsTable, EveryDefaultIsAValueThatTheVariableTakes) {
  for (const setting& each : setting_table()) {
    EXPECT_TRUE(read_setting(each, each.standard, mask).value) << each.name;
  }
}

TEST(SettingsTable, WhatIsPrintedReadsBackAsItWas) {
  for (const setting& each : setting_table()) {
    for (const setting_value& bound : {each.lowest, each.highest}) {
      if (!std::holds_alternative<std::monostate>(bound)) {
        EXPECT_EQ(read_setting(each, value_text(each, bound), mask).value, bound) << each.name;
      }
    }
    for (const setting_word& word : each.words) {
      EXPECT_EQ(read_setting(each, value_text(each, word.value), mask).value, word.value)
          << each.name << ' ' << word.text;
    }
  }
}

TEST(SettingsTable, GetsWhatWasSet) {
  for (const setting& each : setting_table()) {
    setting_values values;
    EXPECT_EQ(each.get(values), setting_value()) << each.name;
    const setting_value some = each.form == setting_form::word   ? each.words.back().value
                               : each.form == setting_form::cpus ? std::string_view("compact")
                                                                 : each.lowest;
    each.set(values, some);
    for (const setting& other : setting_table()) {
      EXPECT_EQ(other.get(values), &other == &each ? some : setting_value())
          << each.name << ' ' << other.name;
    }
    each.set(values, {});
    EXPECT_EQ(each.get(values), setting_value()) << each.name;
  }
}

TEST(SettingsTable, NamesAreFieldsInCapitals) {
  std::set<std::string_view> names;
  for (const setting& each : setting_table()) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
    if (!each.field.empty()) {
      EXPECT_EQ(edit_distance(each.name, "COPPICE_" + std::string(each.field)), 0U) << each.name;
    }
  }
  for (const std::string_view name : reserved_names()) {
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(name.starts_with("COPPICE_")) << name;
  }
}

TEST(SettingsTable, RangesAreWrittenAsTheyAreRead) {
  EXPECT_EQ(range_text(named("COPPICE_THREADS")), "auto, 1..1024");
  EXPECT_EQ(range_text(named("COPPICE_PIN")), "none, compact, list:0-3,8");
  EXPECT_EQ(range_text(named("COPPICE_SPIN")), "0..10ms");
  EXPECT_EQ(range_text(named("COPPICE_MAX_TASKS")), "1..unlimited");
  EXPECT_EQ(range_text(named("COPPICE_FRAME_CACHE")), "0..64M");
  EXPECT_EQ(range_text(named("COPPICE_STACK_SIZE")), "system, 64K..64M");
  EXPECT_EQ(range_text(named("COPPICE_SHUTDOWN_TIMEOUT")), "0..inf");
  EXPECT_EQ(range_text(named("COPPICE_CANCEL_WATCHDOG")), "off, 1ms..1h");
  EXPECT_EQ(range_text(named("COPPICE_UNHANDLED")), "report, terminate, silent");
  EXPECT_EQ(range_text(named("COPPICE_STRICT")), "0, 1, false, true, off, on");
  EXPECT_EQ(default_text(named("COPPICE_YIELD_BUDGET")), "128");
  EXPECT_TRUE(default_text(named("COPPICE_SPIN")).starts_with("20us, 0 if "));
}

TEST(SettingsTable, AdvisesTheNearestName) {
  struct advice_row {
    std::string_view unknown, nearest;
  };
  const advice_row rows[] = {
      {"COPPICE_THREDS", "COPPICE_THREADS"},
      {"COPPICE_THERADS", "COPPICE_THREADS"},
      {"COPPICE_THREAD", "COPPICE_THREADS"},
      {"COPPICE_threads", "COPPICE_THREADS"},
      {"COPPICE_SPINS", "COPPICE_SPIN"},
      {"COPPICE_PINS", "COPPICE_PIN"},
      {"COPPICE_STACKSIZE", "COPPICE_STACK_SIZE"},
      {"COPPICE_DISPLAYENV", "COPPICE_DISPLAY_ENV"},
      {"COPPICE_", ""},
      {"COPPICE_X", ""},
      {"COPPICE_WORKERS", ""},
      {"COPPICE_SOMETHING_ELSE_ENTIRELY", ""},
  };
  for (const auto& [unknown, nearest] : rows) {
    EXPECT_EQ(nearest_name(unknown), nearest) << unknown;
  }
  EXPECT_EQ(nearest_name("COPPICE_" + std::string(100000, 'X')), "");
}

TEST(SettingsTable, AdvisesNoNameThatHasNoEffect) {
  for (const setting& each : setting_table()) {
    EXPECT_EQ(nearest_name(std::string(each.name) + "_") == each.name, each.in_effect) << each.name;
  }
}

TEST(SettingsTable, IsTheTableOfTheReadme) {
  constexpr std::string_view begin = "<!-- environment -->\n";
  constexpr std::string_view end = "<!-- /environment -->";
  std::ostringstream readme;
  readme << std::ifstream(COPPICE_ROOT "/README.md").rdbuf();
  const std::string text = std::move(readme).str();
  const std::size_t from = text.find(begin);
  const std::size_t to = text.find(end);
  ASSERT_NE(from, std::string::npos) << "README.md lacks " << begin;
  ASSERT_NE(to, std::string::npos) << "README.md lacks " << end;
  std::string_view table = std::string_view(text).substr(0, to).substr(from + begin.size());
  while (table.starts_with('\n')) {
    table.remove_prefix(1);
  }
  while (table.ends_with("\n\n")) {
    table.remove_suffix(1);
  }
  EXPECT_EQ(table, settings_markdown_table())
      << "The program print_settings_table (tests/programs) prints what belongs there.";
}

}  // namespace
}  // namespace coppice::detail
