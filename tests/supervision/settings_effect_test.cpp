// The effect of the variables that a runtime obeys, beside those of its executor.
#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>

#include "tests/support/accounted_runtime.h"
#include "tests/support/captured_stderr.h"
#include "tests/support/environment.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_runtime;
using testing_support::captured_stderr;
using testing_support::environment_guard;

class RuntimeSettingsEffect : public testing_support::accounted_test {};

// What is printed while a task goes on that was asked to stop.
std::string printed_about_the_stuck(const char* timeout, bool expect_report) {
  const environment_guard environment("COPPICE_SHUTDOWN_TIMEOUT", timeout);
  const captured_stderr captured;
  accounted_runtime rt({.threads = 1});
  std::latch running(1);
  std::latch released(1);
  const task_handle<> slow = rt.spawn({.name = "slow to stop"}, [&] {
    running.count_down();
    released.wait();
  });
  running.wait();
  std::jthread closing([&] { rt.shutdown(); });
  while (!slow.token().stop_requested()) {
    std::this_thread::yield();
  }
  if (expect_report) {
    captured.wait_for("slow to stop");
  }
  released.count_down();
  closing.join();
  return captured.text();
}

TEST_F(RuntimeSettingsEffect, OfShutdownTimeout) {
  EXPECT_NE(printed_about_the_stuck("1ms", true).find("slow to stop"), std::string::npos);
  EXPECT_EQ(printed_about_the_stuck("inf", false), "");
  EXPECT_EQ(printed_about_the_stuck("1h", false), "");
}

TEST_F(RuntimeSettingsEffect, OfShutdownTimeoutWhenABlockOnEnds) {
  const environment_guard environment("COPPICE_SHUTDOWN_TIMEOUT", "0s");
  const captured_stderr captured;
  accounted_runtime rt({.threads = 2});
  std::latch released(1);
  std::jthread calling([&] {
    rt.block_on([&]() -> task<> {
      std::latch running(1);
      spawn({.name = "left over"}, [&] {
        running.count_down();
        released.wait();
      });
      running.wait();
      co_return;
    });
  });
  captured.wait_for("left over");
  released.count_down();
}

}  // namespace
}  // namespace coppice
