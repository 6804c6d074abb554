#include "executor/setting_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <ostream>
#include <string>
#include <vector>

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

template <class T>
struct row {
  std::string_view text;
  std::optional<T> value;
};

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

TEST(SettingText, CountsAreDigitsAndNothingElse) {
  const row<std::uint64_t> rows[] = {
      {"0", 0},    {"4", 4},    {"007", 7},    {"18446744073709551615", largest},
      {"", {}},    {"-1", {}},  {"+4", {}},    {" 4", {}},
      {"4 ", {}},  {"4x", {}},  {"0x10", {}},  {"1e9", {}},
      {"abc", {}}, {"4.0", {}}, {"1,000", {}}, {"18446744073709551616", {}},
      {"\t4", {}}, {"4\n", {}}, {"1'000", {}}, {"99999999999999999999999999", {}},
      {"８", {}},  {"٤", {}},   {"½", {}},     {"nan", {}},
      {"inf", {}}, {"--4", {}}, {"4K", {}},    {"-", {}},
  };
  for (const auto& [text, value] : rows) {
    const reading<std::uint64_t> read = read_count(text);
    EXPECT_EQ(read.value, value) << quoted_text(text);
    EXPECT_EQ(read.why.empty(), value.has_value()) << quoted_text(text);
  }
}

TEST(SettingText, SizesTakePowersOf1024) {
  const row<std::uint64_t> rows[] = {
      {"0", 0},
      {"1", 1},
      {"65536", 65536},
      {"1K", 1024},
      {"1k", 1024},
      {"3M", 3u << 20},
      {"2G", std::uint64_t{2} << 30},
      {"0G", 0},
      {"17179869183G", std::uint64_t{17179869183} << 30},
      {"17179869184G", {}},  // 2^64
      {"18446744073709551615K", {}},
      {"18446744073709551616", {}},
      {"", {}},
      {"K", {}},
      {"1Q", {}},
      {"1T", {}},
      {"1KB", {}},
      {"1KiB", {}},
      {"1 K", {}},
      {"-1K", {}},
      {"+1K", {}},
      {"1.5M", {}},
      {"K1", {}},
      {"1KK", {}},
      {"0x1K", {}},
      {"1e3K", {}},
  };
  for (const auto& [text, value] : rows) {
    const reading<std::uint64_t> read = read_size(text);
    EXPECT_EQ(read.value, value) << quoted_text(text);
    EXPECT_EQ(read.why.empty(), value.has_value()) << quoted_text(text);
  }
}

TEST(SettingText, DurationsNeedAUnit) {
  const row<duration> rows[] = {
      {"0", 0ns},
      {"0s", 0ns},
      {"20us", 20us},
      {"1.5h", 90min},
      {"1m30s", 90s},
      {"250ns", 250ns},
      {"inf", forever},
      {"200ms", 200ms},
      {"0.1ns", 0ns},
      {"2000000h", 2000000h},
      {"", {}},
      {"20", {}},
      {"1.5", {}},
      {"-20", {}},
      {"+20", {}},
      {"0.0", {}},
      {"-1us", {}},
      {"-inf", {}},
      {"20 us", {}},
      {" 20us", {}},
      {"20us ", {}},
      {"20 ", {}},
      {"us", {}},
      {"20µs", {}},
      {"1d", {}},
      {"20sec", {}},
      {"1m30", {}},
      {"0x10ms", {}},
      {"infinity", {}},
      {"forever", {}},
      {"1e3us", {}},
      {".", {}},
      {"-", {}},
      {"9999999h", {}},
      {"99999999999999999999999999h", {}},
  };
  for (const auto& [text, value] : rows) {
    const reading<duration> read = read_duration(text);
    EXPECT_EQ(read.value, value) << quoted_text(text);
    EXPECT_EQ(read.why.empty(), value.has_value()) << quoted_text(text);
  }
}

TEST(SettingText, AMissingUnitIsNamedAsWhatIsWrong) {
  for (const std::string_view text : {"20", "1.5", "-3"}) {
    EXPECT_EQ(read_duration(text).why, "has no unit; write it like 20us, 5ms or 1.5s") << text;
  }
}

TEST(SettingText, TooLargeIsToldFromNoNumber) {
  EXPECT_EQ(read_count("18446744073709551616").why, "is too large");
  EXPECT_EQ(read_size("17179869184G").why, "is too large");
  EXPECT_EQ(read_duration("9999999h").why, "is too large");
  EXPECT_EQ(read_count("four").why, "is not a whole number");
}

TEST(SettingText, WhatIsPrintedReadsBackAsItWas) {
  for (const std::uint64_t bytes :
       {0UL, 1UL, 1000UL, 1024UL, 65536UL, 65537UL, 64UL << 20, largest}) {
    EXPECT_EQ(read_size(size_text(bytes)).value, bytes);
  }
  for (const duration span : {duration(0ns), duration(1ns), duration(20us), duration(90s),
                              duration(1h), duration(1234567891ns), forever}) {
    EXPECT_EQ(read_duration(exact_duration_text(span)).value, span);
  }
  EXPECT_EQ(size_text(256 * 1024), "256K");
  EXPECT_EQ(size_text(64 << 20), "64M");
  EXPECT_EQ(exact_duration_text(20us), "20us");
  EXPECT_EQ(exact_duration_text(30s), "30s");
}

TEST(SettingText, QuotedValuesCannotForgeALineOrFillALog) {
  EXPECT_EQ(quoted_text("4x"), "'4x'");
  EXPECT_EQ(quoted_text("４"), "'４'");
  EXPECT_EQ(quoted_text("1\ncoppice: all is well"), "'1\\ncoppice: all is well'");
  EXPECT_EQ(quoted_text(std::string(1000, 'x')), "'" + std::string(80, 'x') + "...'");
}

TEST(SettingText, EditDistanceCountsSlips) {
  struct distance_row {
    std::string_view from, to;
    std::size_t slips;
  };
  const distance_row rows[] = {
      {"", "", 0},
      {"", "abc", 3},
      {"SPIN", "SPIN", 0},
      {"spin", "SPIN", 0},
      {"SPN", "SPIN", 1},
      {"SPPIN", "SPIN", 1},
      {"SPUN", "SPIN", 1},
      {"PSIN", "SPIN", 1},
      {"THERADS", "THREADS", 1},
      {"WORKERS", "THREADS", 5},
  };
  for (const auto& [from, to, slips] : rows) {
    EXPECT_EQ(edit_distance(from, to), slips) << from << ' ' << to;
    EXPECT_EQ(edit_distance(to, from), slips) << to << ' ' << from;
  }
}

}  // namespace
}  // namespace coppice::detail
