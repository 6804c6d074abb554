#include "executor/settings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <sstream>
#include <string>
#include <thread>

#include <coppice/error.h>

#include "tests/support/environment.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

using testing_support::environment_guard;

cpu_supply with_cpus(unsigned count, std::optional<double> quota = {}) {
  cpu_supply supply{.affinity = {}, .quota = quota};
  for (unsigned cpu = 0; cpu < count; ++cpu) {
    supply.affinity.push_back(cpu);
  }
  return supply;
}

const cpu_supply four_cpus = with_cpus(4);

setting_source source_of(const settings& resolved, std::string_view name) {
  return resolved.sources[static_cast<std::size_t>(find_setting(name) - setting_table().data())];
}

// What `work` writes to stderr.
std::string errors_of(const std::function<void()>& work) {
  testing::internal::CaptureStderr();
  work();
  return testing::internal::GetCapturedStderr();
}

std::string usage_error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const usage_error& error) {
    return error.what();
  }
  return "no usage_error";
}

long lines_in(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

TEST(Settings, DefaultsFillEveryField) {
  environment_guard environment;
  const settings all = resolve({}, four_cpus);
  EXPECT_EQ(all.effective.threads, 4U);
  EXPECT_EQ(all.effective.pin, "none");
  EXPECT_EQ(all.effective.spin, duration(20us));
  EXPECT_EQ(all.effective.yield_budget, 128U);
  EXPECT_EQ(all.effective.max_tasks, SIZE_MAX);
  EXPECT_EQ(all.effective.frame_cache, 256U * 1024);
  EXPECT_GE(all.effective.stack_size, 16U * 1024);
  EXPECT_EQ(all.effective.blocking_threads, 64U);
  EXPECT_EQ(all.effective.shutdown_timeout, duration(30s));
  EXPECT_EQ(all.effective.watchdog, forever);
  EXPECT_EQ(all.effective.cancel_watchdog, duration(1s));
  EXPECT_EQ(all.effective.unhandled, on_unhandled::report);
  EXPECT_EQ(all.effective.debug, false);
  EXPECT_EQ(all.effective.strict, false);
  EXPECT_EQ(all.display_env, display_mode::off);
  EXPECT_EQ(all.test_seed, std::nullopt);
  EXPECT_TRUE(all.pin_plan.empty());
  EXPECT_TRUE(all.warnings.empty());
  for (const setting_source source : all.sources) {
    EXPECT_EQ(source, setting_source::standard);
  }
}

TEST(Settings, CodeGoesBeforeTheEnvironmentAndThatBeforeTheDefault) {
  environment_guard environment;
  environment.set("COPPICE_THREADS", "3");
  environment.set("COPPICE_SPIN", "1ms");
  const settings all = resolve({.threads = 2}, four_cpus);
  EXPECT_EQ(all.effective.threads, 2U);
  EXPECT_EQ(all.effective.spin, duration(1ms));
  EXPECT_EQ(all.effective.yield_budget, 128U);
  EXPECT_EQ(source_of(all, "COPPICE_THREADS"), setting_source::code);
  EXPECT_EQ(source_of(all, "COPPICE_SPIN"), setting_source::environment);
  EXPECT_EQ(source_of(all, "COPPICE_YIELD_BUDGET"), setting_source::standard);
}

TEST(Settings, AnEmptyVariableIsAnUnsetOne) {
  environment_guard environment;
  for (const setting& each : setting_table()) {
    environment.set(each.name, "");
  }
  environment.set("COPPICE_NO_SUCH_SETTING", "");
  const settings all = resolve({}, four_cpus);
  EXPECT_EQ(all.effective.threads, 4U);
  EXPECT_EQ(source_of(all, "COPPICE_THREADS"), setting_source::standard);
  EXPECT_TRUE(all.warnings.empty());
}

TEST(Settings, WordsForTheDefaultComeFromTheEnvironmentAllTheSame) {
  environment_guard environment;
  environment.set("COPPICE_THREADS", "auto");
  environment.set("COPPICE_STACK_SIZE", "system");
  environment.set("COPPICE_TEST_SEED", "drawn");
  const settings all = resolve({}, four_cpus);
  EXPECT_EQ(all.effective.threads, 4U);
  EXPECT_TRUE(all.effective.stack_size);
  EXPECT_EQ(all.test_seed, std::nullopt);
  EXPECT_EQ(source_of(all, "COPPICE_THREADS"), setting_source::environment);
}

TEST(Settings, WorkersFollowAffinityAndQuota) {
  environment_guard environment;
  struct workers_row {
    unsigned cpus;
    std::optional<double> quota;
    unsigned workers;
  };
  for (const auto& [cpus, quota, workers] :
       {workers_row{1, {}, 1}, {4, 2.0, 2}, {4, 0.5, 1}, {4, 1.5, 2}, {2, 64.0, 2}}) {
    EXPECT_EQ(resolve({}, with_cpus(cpus, quota)).effective.threads, workers);
  }
  EXPECT_EQ(resolve({.pin = "list:1,3"}, four_cpus).effective.threads, 2U)
      << "workers that must share two CPUs are two";
  EXPECT_EQ(resolve({.threads = 16}, with_cpus(1, 0.5)).effective.threads, 16U);
}

TEST(Settings, SpinningIsOffWhereWorkersOutnumberCpusOrQuota) {
  environment_guard environment;
  const auto spin = [](const options& from_code, const cpu_supply& supply) {
    return resolve(from_code, supply).effective.spin;
  };
  EXPECT_EQ(spin({}, with_cpus(4)), duration(20us));
  EXPECT_EQ(spin({}, with_cpus(4, 4.0)), duration(20us));
  EXPECT_EQ(spin({}, with_cpus(4, 1.5)), duration(0)) << "two workers for one CPU and a half";
  EXPECT_EQ(spin({.threads = 4}, with_cpus(4, 2.0)), duration(0));
  EXPECT_EQ(spin({.threads = 2}, with_cpus(4, 2.0)), duration(20us));
  EXPECT_EQ(spin({.threads = 5}, with_cpus(4)), duration(0));
  EXPECT_EQ(spin({.threads = 2, .pin = "list:0"}, with_cpus(4)), duration(0));
  EXPECT_EQ(spin({.threads = 5, .spin = 1ms}, with_cpus(4)), duration(1ms)) << "asked for";
}

TEST(Settings, PinPlansFollowTheMask) {
  environment_guard environment;
  EXPECT_EQ(resolve({.pin = "compact"}, four_cpus).pin_plan, (cpu_list{0, 1, 2, 3}));
  environment.set("COPPICE_PIN", "list:3,0-1");
  EXPECT_EQ(resolve({}, four_cpus).pin_plan, (cpu_list{3, 0, 1}));
  EXPECT_TRUE(resolve({.pin = "none"}, four_cpus).pin_plan.empty());
}

TEST(Settings, KeepTheirOwnCopyOfStrings) {
  environment_guard environment;
  std::string text = "list:1,2";
  settings all = resolve({.pin = text}, four_cpus);
  text = "list:x,x";
  const settings copy = all;
  all = settings();
  EXPECT_EQ(copy.effective.pin, "list:1,2");
}

TEST(Settings, ABadFieldIsAUsageErrorThatNamesFieldValueAndRange) {
  environment_guard environment;
  struct field_row {
    options bad;
    std::string_view error;
  };
  const field_row rows[] = {
      {{.threads = 0}, "options::threads='0' is out of range; accepted: auto, 1..1024"},
      {{.threads = 1025}, "options::threads='1025' is out of range; accepted: auto, 1..1024"},
      {{.pin = ""}, "options::pin='' is neither none, compact nor"},
      {{.pin = "list:4"},
       "options::pin='list:4' names a CPU outside the affinity mask; accepted: "},
      {{.spin = -1ns}, "options::spin='-1ns' is out of range; accepted: 0..10ms"},
      {{.spin = 11ms}, "options::spin='11ms' is out of range; accepted: 0..10ms"},
      {{.yield_budget = 0}, "options::yield_budget='0' is out of range; accepted: 1..65535"},
      {{.yield_budget = 65536}, "options::yield_budget='65536' is out of range"},
      {{.max_tasks = 0}, "options::max_tasks='0' is out of range; accepted: 1..unlimited"},
      {{.frame_cache = (64 << 20) + 1}, "options::frame_cache='67108865' is out of range"},
      {{.stack_size = 0}, "options::stack_size='0' is out of range; accepted: system, 64K..64M"},
      {{.stack_size = 1024}, "options::stack_size='1K' is out of range"},
      {{.blocking_threads = 0}, "options::blocking_threads='0' is out of range; accepted: 1..4096"},
      {{.shutdown_timeout = -1s}, "options::shutdown_timeout='-1s' is out of range"},
      {{.watchdog = 0s}, "options::watchdog='0' is out of range; accepted: off, 1ms..1h"},
      {{.cancel_watchdog = 2h}, "options::cancel_watchdog='2h' is out of range"},
      {{.unhandled = static_cast<on_unhandled>(3)}, "options::unhandled='3' is not a value it can"},
      {{.unhandled = static_cast<on_unhandled>(-1)}, "options::unhandled='"},
  };
  for (const auto& [bad, error] : rows) {
    const std::string what = usage_error_of([&] { resolve(bad, four_cpus); });
    EXPECT_NE(what.find(error), std::string::npos) << error << "\n" << what;
  }
}

TEST(Settings, ForeverIsOffForWatchdogsAndNoLimitForShutdown) {
  environment_guard environment;
  const settings all = resolve(
      {.shutdown_timeout = forever, .watchdog = forever, .cancel_watchdog = forever}, four_cpus);
  EXPECT_EQ(all.effective.shutdown_timeout, forever);
  EXPECT_EQ(all.effective.watchdog, forever);
  EXPECT_EQ(all.effective.cancel_watchdog, forever);
}

TEST(Settings, ABadVariableIsOneWarningThatSaysWhatIsUsedInstead) {
  environment_guard environment("COPPICE_THREADS", "0");
  settings all;
  EXPECT_EQ(errors_of([&] { all = resolve({}, four_cpus); }),
            "coppice: COPPICE_THREADS='0' is out of range; accepted: auto, 1..1024; "
            "using 4 [default]\n");
  EXPECT_EQ(all.effective.threads, 4U);
  EXPECT_EQ(source_of(all, "COPPICE_THREADS"), setting_source::standard);

  environment.set("COPPICE_THREADS", "-7");
  EXPECT_EQ(errors_of([&] { all = resolve({.threads = 2}, four_cpus); }),
            "coppice: COPPICE_THREADS='-7' is not a whole number; accepted: auto, 1..1024; "
            "using 2 [code]\n");
}

TEST(Settings, ADurationWithoutAUnitIsToldSo) {
  environment_guard environment("COPPICE_SPIN", "50");
  EXPECT_EQ(errors_of([&] { resolve({}, four_cpus); }),
            "coppice: COPPICE_SPIN='50' has no unit; write it like 20us, 5ms or 1.5s; "
            "accepted: 0..10ms; using 20us [default]\n");
}

TEST(Settings, NothingIsSaidTwice) {
  environment_guard environment("COPPICE_YIELD_BUDGET", "often");
  EXPECT_EQ(lines_in(errors_of([&] { resolve({}, four_cpus); })), 1);
  settings again;
  EXPECT_EQ(errors_of([&] { again = resolve({}, four_cpus); }), "");
  EXPECT_EQ(again.warnings.size(), 1U) << "kept all the same";
  environment.set("COPPICE_YIELD_BUDGET", "seldom");
  EXPECT_EQ(lines_in(errors_of([&] { resolve({}, four_cpus); })), 1) << "another value";

  environment.set("COPPICE_YIELD_BUDGET", "");
  environment.set("COPPICE_SAID_ONCE", "1");
  EXPECT_EQ(lines_in(errors_of([&] { resolve({}, four_cpus); })), 1);
  environment.set("COPPICE_SAID_ONCE", "2");
  EXPECT_EQ(errors_of([&] { resolve({}, four_cpus); }), "") << "the name is what is wrong";
}

TEST(Settings, EveryWarningIsALineOfItsOwn) {
  environment_guard environment;
  environment.set("COPPICE_THREADS", "lines");
  environment.set("COPPICE_SPIN", "lines\ncoppice: forged");
  EXPECT_EQ(lines_in(errors_of([&] { resolve({}, four_cpus); })), 2);
}

TEST(Settings, AnUnknownNameIsWarnedOfWithTheNameProbablyMeant) {
  environment_guard environment("COPPICE_THRAEDS", "4");
  EXPECT_EQ(errors_of([&] { resolve({}, four_cpus); }),
            "coppice: there is no variable 'COPPICE_THRAEDS'; did you mean COPPICE_THREADS?\n");
  environment_guard other("COPPICE_QUUX", "4");
  EXPECT_EQ(errors_of([&] { resolve({}, four_cpus); }),
            "coppice: there is no variable 'COPPICE_QUUX'\n");
}

TEST(Settings, ReservedNamesAndOtherPrefixesAreNobodysBusiness) {
  environment_guard environment;
  for (const std::string_view name : reserved_names()) {
    environment.set(name, "anything");
  }
  ::setenv("NO_COPPICE_THREADS", "anything", 1);
  EXPECT_TRUE(resolve({}, four_cpus).warnings.empty());
  ::unsetenv("NO_COPPICE_THREADS");
}

TEST(Settings, StrictMakesEveryWarningAnError) {
  environment_guard environment("COPPICE_STRICT", "1");
  EXPECT_EQ(resolve({}, four_cpus).effective.strict, true);

  environment.set("COPPICE_SPIN", "strict");
  environment.set("COPPICE_YIELD_BUDGE", "1");
  const std::string what = usage_error_of([&] { resolve({}, four_cpus); });
  EXPECT_NE(what.find("COPPICE_SPIN='strict' is not a duration"), std::string::npos) << what;
  EXPECT_NE(what.find("accepted: 0..10ms"), std::string::npos) << what;
  EXPECT_NE(what.find("did you mean COPPICE_YIELD_BUDGET?"), std::string::npos) << what;
  EXPECT_EQ(errors_of([&] { usage_error_of([&] { resolve({}, four_cpus); }); }), "");
}

TEST(Settings, StrictInCodeGoesBeforeStrictInTheEnvironment) {
  environment_guard environment("COPPICE_SPIN", "code");
  EXPECT_THROW(resolve({.strict = true}, four_cpus), usage_error);
  environment.set("COPPICE_STRICT", "1");
  EXPECT_NE(errors_of([&] { resolve({.strict = false}, four_cpus); }), "");
}

TEST(Settings, ABadStrictIsAWarningOnly) {
  environment_guard environment("COPPICE_STRICT", "very");
  EXPECT_EQ(lines_in(errors_of([&] { resolve({}, four_cpus); })), 1);
}

TEST(Settings, NothingInTheEnvironmentIsWorseThanAWarning) {
  environment_guard environment;
  for (const setting& each : setting_table()) {
    for (const std::string_view text :
         {"\xff\xfe", " ", "=", "%s%n", "-", "99999999999999999999"}) {
      environment_guard one(each.name, text);
      settings all;
      EXPECT_EQ(lines_in(errors_of([&] { all = resolve({}, four_cpus); })), 1) << each.name << text;
      EXPECT_EQ(all.effective.threads, 4U);
    }
  }
}

TEST(Settings, EffectiveOptionsCanStartAnotherRuntime) {
  environment_guard environment("COPPICE_THREADS", "3");
  const settings first = resolve({.yield_budget = 5}, four_cpus);
  environment.set("COPPICE_THREADS", "2");
  const settings second = resolve(first.effective, with_cpus(1));
  EXPECT_EQ(second.effective.threads, 3U);
  EXPECT_EQ(second.effective.spin, duration(20us));
  EXPECT_EQ(second.effective.stack_size, first.effective.stack_size);
}

TEST(Settings, EffectiveOptionsPrintWhenceTheyCame) {
  environment_guard environment("COPPICE_THREADS", "3");
  const settings all = resolve({.yield_budget = 5}, four_cpus);
  environment_guard changed("COPPICE_THREADS", "2");
  std::ostringstream out;
  out << all.effective;
  EXPECT_NE(out.str().find("COPPICE_THREADS='3' [env]\n"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("COPPICE_YIELD_BUDGET='5' [code]\n"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("COPPICE_SPIN='20us' [default]\n"), std::string::npos) << out.str();
}

TEST(Settings, TestSeedIsTakenFromTheEnvironment) {
  environment_guard environment("COPPICE_TEST_SEED", "18446744073709551615");
  EXPECT_EQ(resolve({}, four_cpus).test_seed, UINT64_MAX);
}

TEST(Settings, DisplayShowsWhatIsInEffectAndWhatItWasComputedFrom) {
  environment_guard environment("COPPICE_DISPLAY_ENV", "1");
  const settings all = resolve({.threads = 2}, with_cpus(4, 1.5));
  const std::string text = display_text(all, "1.2.3");
  EXPECT_TRUE(text.starts_with("coppice 1.2.3 (")) << text;
  EXPECT_NE(text.find("glibc "), std::string::npos) << text;
  EXPECT_NE(text.find("  COPPICE_THREADS='2' [code]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  COPPICE_SPIN='0' [default]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  COPPICE_DISPLAY_ENV='1' [env]\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" online, affinity 0-3, quota 1.50\n"), std::string::npos) << text;
  for (const setting& each : setting_table()) {
    EXPECT_EQ(text.find(each.name) != std::string::npos, each.in_effect) << each.name;
  }
  EXPECT_EQ(errors_of([&] { display_at_start(all, "1.2.3"); }), text);
}

TEST(Settings, VerboseDisplayAddsRangesAndMeanings) {
  environment_guard environment("COPPICE_DISPLAY_ENV", "verbose");
  const std::string text = display_text(resolve({}, four_cpus), "1.2.3");
  EXPECT_NE(text.find("COPPICE_YIELD_BUDGET='128' [default]  1..65535: ready awaits"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("quota none\n"), std::string::npos) << text;
}

TEST(Settings, DisplayIsSilentUnlessAskedFor) {
  environment_guard environment;
  const settings all = resolve({}, four_cpus);
  EXPECT_EQ(errors_of([&] { display_at_start(all, "1.2.3"); }), "");
}

TEST(Settings, OfThisMachineFollowItsMask) {
  environment_guard environment;
  unsigned workers = 0;
  std::thread([&] {
    if (pin_current_thread(affinity().front())) {
      workers = *resolve({}).effective.threads;
    }
  }).join();
  EXPECT_EQ(workers, 1U);
}

}  // namespace
}  // namespace coppice::detail
