// The fixture of tests/idioms: a runtime on virtual time, and a journal of what happened when.
#pragma once

#include <coppice/coppice.h>
#include <coppice/testing.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/report_log.h"

namespace coppice::testing_support::inline idioms {

// Parameter: the number of workers. All durations of these tests are whole seconds.
class idiom_test : public testing::TestWithParam<unsigned> {
 protected:
  explicit idiom_test(bool autojump = true) : rt_({.workers = GetParam(), .autojump = autojump}) {
    rt_.set_error_handler([this, keep = reports_.handler()](const error_report& report) {
      note("reported " + report.entry.message());
      keep(report);
    });
  }

  // Adds "<seconds>s <what>" to the journal. Any thread.
  void note(std::string_view what) {
    const auto passed = std::chrono::duration_cast<std::chrono::seconds>(rt_.clock().elapsed());
    std::string line = std::to_string(passed.count()) + "s ";
    line += what;
    const std::lock_guard lock(mutex_);
    journal_.push_back(std::move(line));
  }

  std::vector<std::string> journal() const {
    const std::lock_guard lock(mutex_);
    return journal_;
  }

  // The caller's own words if it gave a reason, else the kind.
  static std::string why(const cancel_reason& reason) {
    return std::string(reason.kind() == cancel_kind::requested ? reason.message()
                                                               : to_string(reason.kind()));
  }

  // Notes "<name> done", or "<name> stopped: <why>".
  task<> sleeper(std::string name, duration d) {
    const outcome<> end = co_await as_result(sleep_for(d));
    if (end.cancelled()) {
      note(name + " stopped: " + why(end.reason()));
      co_await stop();
    }
    note(name + " done");
  }

  // A sleeper that takes its time once it is asked to stop.
  task<> slow_to_stop(std::string name, duration cleanup) {
    co_await with_cleanup([]() -> task<> { co_await sleep_for(std::chrono::hours(1)); },
                          [&]() -> task<> { co_await sleep_for(cleanup); });
    note(name + " was not stopped");
  }

  static task<> failing(duration after, std::string text) {
    co_await sleep_for(after);
    throw std::runtime_error(text);
  }

  static task<int> value(duration after, int number) {
    co_await sleep_for(after);
    co_return number;
  }

  // Is stopped in its sleep, and fails then.
  static task<> failing_when_stopped(std::string text) {
    co_await with_cleanup([]() -> task<> { co_await sleep_for(std::chrono::hours(1)); },
                          [&] { throw std::runtime_error(text); });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> journal_;

 protected:
  report_log reports_;
  test_runtime rt_;  // Behind all that its tasks and handlers use.

 private:
  testing::ScopedTrace seed_{__FILE__, __LINE__, "seed " + std::to_string(rt_.seed())};
};

// What stands in a group, in order and nested as it is: "[leaf, [leaf, leaf]]".
inline std::string leaves_of(const error_entry& entry) {
  const auto* const group = entry.get_if<exception_group>();
  if (group == nullptr) {
    return entry.message();
  }
  std::string text = "[";
  for (const error_entry& each : group->exceptions()) {
    text += (text.size() == 1 ? "" : ", ") + leaves_of(each);
  }
  return text + "]";
}

}  // namespace coppice::testing_support::inline idioms
