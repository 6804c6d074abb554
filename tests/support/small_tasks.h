// Tasks of one line that tests of the tree spawn: they sleep, fail, or resist.
#pragma once

#include <coppice/shield.h>
#include <coppice/task.h>
#include <coppice/time.h>

#include <stdexcept>
#include <string>

namespace coppice::testing_support {

inline task<> sleeper(duration d) {
  co_await sleep_for(d);
}

inline task<int> number_after(duration d, int number) {
  co_await sleep_for(d);
  co_return number;
}

inline task<> failing(std::string text) {
  throw std::runtime_error(text);
  co_return;
}

inline task<> fail_after(duration d, std::string text) {
  co_await sleep_for(d);
  throw std::runtime_error(text);
}

// Sleeps until it is asked to stop, and fails instead.
inline task<> fail_when_stopped(std::string text) {
  (void)co_await as_result(sleep_for(std::chrono::hours(10'000)));
  throw std::runtime_error(text);
}

// Cannot be stopped for that long.
inline task<> shielded_sleeper(duration d) {
  co_await shield(sleep_for(d));
}

}  // namespace coppice::testing_support
