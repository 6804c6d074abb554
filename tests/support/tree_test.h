// What tests of the tree share: any number of workers, a record of what happened, small tasks.
#pragma once

#include <coppice/awaiter.h>
#include <coppice/exception_group.h>
#include <coppice/shield.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace coppice::testing_support::inline trees {

// A test whose parameter is the number of workers. Its runtime is local to the test, behind what
// its tasks refer to.
class tree_test : public testing::TestWithParam<unsigned> {
 protected:
  static test_options workers() { return {.workers = GetParam()}; }
};

// What happened, in the order in which it was said, on whatever worker.
class trace {
 public:
  trace() = default;
  trace(const trace&) = delete;
  trace& operator=(const trace&) = delete;

  void add(std::string what) {
    const std::lock_guard lock(mutex_);
    said_.push_back(std::move(what));
  }

  std::vector<std::string> said() const {
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> said_;
};

// Says its name when it is destroyed.
class mark {
 public:
  mark(trace& into, std::string name) : into_(into), name_(std::move(name)) {}
  mark(const mark&) = delete;
  mark& operator=(const mark&) = delete;
  ~mark() { into_.add(name_); }

 private:
  trace& into_;
  std::string name_;
};

using texts = std::vector<std::string>;

inline task<> sleeper(duration d) {
  co_await sleep_for(d);
}

inline task<int> number(int n) {
  co_return n;
}

inline task<int> number_after(duration d, int n) {
  co_await sleep_for(d);
  co_return n;
}

inline task<> failing(std::string text) {
  throw std::runtime_error(text);
  co_return;
}

inline task<> failing_after(duration d, std::string text) {
  co_await sleep_for(d);
  throw std::runtime_error(text);
}

// Fails only when it is asked to stop.
inline task<> failing_when_stopped(std::string text) {
  const outcome<> end = co_await as_result(sleep_for(forever));
  if (end.cancelled()) {
    throw std::runtime_error(text);
  }
}

// The texts of the direct failures, in their order.
inline texts messages_of(const exception_group& group) {
  texts all;
  for (const error_entry& each : group.exceptions()) {
    all.push_back(each.message());
  }
  return all;
}

// The same of a failure that ought to be a group; "no group" if it is none.
inline texts messages_of(const error_entry& entry) {
  const exception_group* const group = entry.get_if<exception_group>();
  return group == nullptr ? texts{"no group"} : messages_of(*group);
}

}  // namespace coppice::testing_support::inline trees
