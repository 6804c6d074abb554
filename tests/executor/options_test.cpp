#include <coppice/options.h>

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include <coppice/error.h>

#include "tests/support/environment.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::environment_guard;

std::string printed(const options& settings) {
  std::ostringstream out;
  out << settings;
  return out.str();
}

// Whether `text` has `line` as one of its lines.
bool has_line(const std::string& text, const std::string& line) {
  return ('\n' + text).find('\n' + line + '\n') != std::string::npos;
}

TEST(Options, AreWrittenByNamingFields) {
  constexpr options some = {.threads = 2, .spin = 100us, .unhandled = on_unhandled::silent};
  static_assert(some.threads == 2U && some.spin == duration(100us) && !some.pin);
}

TEST(Options, FromEnvHoldsWhatTheEnvironmentSetsAndNothingElse) {
  environment_guard environment;
  environment.set("COPPICE_THREADS", "3");
  environment.set("COPPICE_PIN", "compact");
  environment.set("COPPICE_SPIN", "5ms");
  environment.set("COPPICE_YIELD_BUDGET", "7");
  environment.set("COPPICE_MAX_TASKS", "1000");
  environment.set("COPPICE_FRAME_CACHE", "1M");
  environment.set("COPPICE_STACK_SIZE", "128K");
  const options some = options::from_env();
  EXPECT_EQ(some.threads, 3U);
  EXPECT_EQ(some.pin, "compact");
  EXPECT_EQ(some.spin, duration(5ms));
  EXPECT_EQ(some.yield_budget, 7U);
  EXPECT_EQ(some.max_tasks, 1000U);
  EXPECT_EQ(some.frame_cache, 1U << 20);
  EXPECT_EQ(some.stack_size, 128U * 1024);
  EXPECT_EQ(some.blocking_threads, std::nullopt);
  EXPECT_EQ(some.shutdown_timeout, std::nullopt);
  EXPECT_EQ(some.strict, std::nullopt);

  environment.set("COPPICE_BLOCKING_THREADS", "9");
  environment.set("COPPICE_SHUTDOWN_TIMEOUT", "inf");
  environment.set("COPPICE_WATCHDOG", "10ms");
  environment.set("COPPICE_CANCEL_WATCHDOG", "off");
  environment.set("COPPICE_UNHANDLED", "terminate");
  environment.set("COPPICE_DEBUG", "on");
  environment.set("COPPICE_STRICT", "true");
  const options all = options::from_env();
  EXPECT_EQ(all.blocking_threads, 9U);
  EXPECT_EQ(all.shutdown_timeout, forever);
  EXPECT_EQ(all.watchdog, duration(10ms));
  EXPECT_EQ(all.cancel_watchdog, forever);
  EXPECT_EQ(all.unhandled, on_unhandled::terminate);
  EXPECT_EQ(all.debug, true);
  EXPECT_EQ(all.strict, true);
}

TEST(Options, FromEnvLeavesEmptyWhatIsUnsetEmptyOrDefaultByName) {
  environment_guard environment;
  environment.set("COPPICE_THREADS", "auto");
  environment.set("COPPICE_STACK_SIZE", "system");
  environment.set("COPPICE_SPIN", "");
  const options none = options::from_env();
  EXPECT_EQ(none.threads, std::nullopt);
  EXPECT_EQ(none.stack_size, std::nullopt);
  EXPECT_EQ(none.spin, std::nullopt);
  EXPECT_EQ(none.pin, std::nullopt);
}

TEST(Options, FromEnvRefusesABadValueOnlyWhenStrict) {
  environment_guard environment("COPPICE_THREADS", "from_env");
  testing::internal::CaptureStderr();
  EXPECT_EQ(options::from_env().threads, std::nullopt);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("COPPICE_THREADS='from_env'"),
            std::string::npos);
  environment.set("COPPICE_STRICT", "1");
  EXPECT_THROW(options::from_env(), usage_error);
}

TEST(Options, PrintWhatARuntimeWouldUseAndWhence) {
  environment_guard environment("COPPICE_YIELD_BUDGET", "7");
  const std::string text = printed({.threads = 3, .pin = "none", .frame_cache = 65536});
  EXPECT_TRUE(has_line(text, "COPPICE_THREADS='3' [code]")) << text;
  EXPECT_TRUE(has_line(text, "COPPICE_PIN='none' [code]")) << text;
  EXPECT_TRUE(has_line(text, "COPPICE_FRAME_CACHE='64K' [code]")) << text;
  EXPECT_TRUE(has_line(text, "COPPICE_YIELD_BUDGET='7' [env]")) << text;
  EXPECT_TRUE(has_line(text, "COPPICE_MAX_TASKS='unlimited' [default]")) << text;
  EXPECT_TRUE(has_line(text, "COPPICE_STRICT='0' [default]")) << text;
}

TEST(Options, PrintBadValuesAsTheyAre) {
  environment_guard environment("COPPICE_SPIN", "print");
  testing::internal::CaptureStderr();
  const std::string text =
      printed({.threads = 0, .pin = "list:", .yield_budget = 70000, .strict = true});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(has_line(text, "COPPICE_THREADS='0' [code]")) << text;
  EXPECT_TRUE(has_line(text, "COPPICE_PIN='list:' [code]")) << text;
  EXPECT_TRUE(has_line(text, "COPPICE_YIELD_BUDGET='70000' [code]")) << text;
}

TEST(Options, FromEnvRemembersWhence) {
  environment_guard environment;
  environment.set("COPPICE_THREADS", "3");
  environment.set("COPPICE_YIELD_BUDGET", "7");
  options some = options::from_env();
  some.yield_budget = 8;
  const std::string text = printed(some);
  EXPECT_TRUE(has_line(text, "COPPICE_THREADS='3' [env]")) << text;
  EXPECT_TRUE(has_line(text, "COPPICE_YIELD_BUDGET='8' [code]")) << text;
}

}  // namespace
}  // namespace coppice
