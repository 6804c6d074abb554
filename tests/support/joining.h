// What the tests of joins share: tasks whose ends are known beforehand, and what they leave behind.
#pragma once

#include <coppice/shield.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/report_log.h"

namespace coppice::testing_support::inline joining {

// Each test with 1, 2 and 4 workers, on virtual time.
class with_workers : public testing::TestWithParam<unsigned> {
 protected:
  static test_options workers() { return {.workers = GetParam()}; }
};

// Longer than any test lasts: nobody waits for its end.
inline constexpr duration very_long = std::chrono::hours(1);

// Lives in frames, and counts those that live.
class live_mark {
 public:
  explicit live_mark(std::atomic<int>& live) noexcept : live_(live) { live_.fetch_add(1); }
  live_mark(const live_mark&) = delete;
  live_mark& operator=(const live_mark&) = delete;
  ~live_mark() { live_.fetch_sub(1); }

 private:
  std::atomic<int>& live_;
};

// A value that can only be moved, and must be given a number.
class move_only {
 public:
  explicit move_only(int number) noexcept : number_(number) {}
  move_only(move_only&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  move_only& operator=(move_only&& other) noexcept {
    number_ = std::exchange(other.number_, -1);
    return *this;
  }

  int number() const noexcept { return number_; }

 private:
  int number_;  // -1 once moved from.
};

// What a value leaves when it is destroyed: counts those that live, wherever they were moved.
class counted_value {
 public:
  explicit counted_value(std::atomic<int>& live) noexcept : live_(&live) { live_->fetch_add(1); }
  counted_value(counted_value&& other) noexcept : live_(std::exchange(other.live_, nullptr)) {}
  counted_value& operator=(counted_value&& other) noexcept {
    std::swap(live_, other.live_);
    return *this;
  }
  ~counted_value() {
    if (live_ != nullptr) {
      live_->fetch_sub(1);
    }
  }

 private:
  std::atomic<int>* live_;
};

template <class T>
task<T> give_after(duration d, T value) {
  co_await sleep_for(d);
  co_return std::move(value);
}

template <class T>
task<T> give(T value) {
  co_return std::move(value);
}

inline task<> end_after(duration d) {
  co_await sleep_for(d);
}

inline task<int> fail_after(duration d, std::string text) {
  co_await sleep_for(d);
  throw std::runtime_error(text);
}

inline task<int> fail_at_once(std::string text) {
  throw std::runtime_error(text);
  co_return 0;
}

inline task<int> count_run(std::atomic<int>& runs, int value = 0) {
  runs.fetch_add(1);
  co_return value;
}

// Sleeps for long; its frame can be seen to go.
inline task<int> sleep_marked(std::atomic<int>& live, duration d = very_long, int value = 0) {
  const live_mark mark(live);
  co_await sleep_for(d);
  co_return value;
}

// Counts if it is stopped, and why.
inline task<int> count_stop(std::atomic<int>& stops, duration d = very_long, int value = 0) {
  const outcome<> end = co_await as_result(sleep_for(d));
  if (end.cancelled()) {
    stops.fetch_add(1);
    co_await stop();
  }
  co_return value;
}

// Needs a while to end after it has been asked to stop.
inline task<int> stop_slowly(std::atomic<int>& live, duration needs) {
  const live_mark mark(live);
  (void)co_await as_result(sleep_for(very_long));
  co_await shield(sleep_for(needs));
  co_await stop();
  co_return 0;
}

// Ends by a failure when it is asked to stop, as a cleanup that throws.
inline task<int> fail_when_stopped(std::string text, duration needs = duration::zero()) {
  (void)co_await as_result(sleep_for(very_long));
  if (needs > duration::zero()) {
    co_await shield(sleep_for(needs));
  }
  throw std::runtime_error(text);
}

// The failures that were reported with this origin, as sorted texts.
inline std::vector<std::string> messages_of(const std::vector<error_report>& reports,
                                            error_origin origin) {
  std::vector<std::string> texts;
  for (const error_report& each : reports) {
    if (each.origin == origin) {
      texts.push_back(each.entry.message());
    }
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

// How often this failure was reported, whatever the origin.
inline std::ptrdiff_t times_reported(const report_log& log, const std::string& text) {
  const std::vector<std::string> all = log.messages();
  return std::count(all.begin(), all.end(), text);
}

}  // namespace coppice::testing_support::inline joining
