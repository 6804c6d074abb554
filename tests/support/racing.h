// Tasks that race with whoever cancels them, and the count of how each of them ended.
#pragma once

#include <coppice/runtime.h>
#include <coppice/spawn.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <stdexcept>

namespace coppice::testing_support::inline joining {

// What the bodies of tasks saw, and what their handles tell: the two must agree to the last one.
class end_counts {
 public:
  // By the bodies, immediately before they end so.
  void note_return() noexcept { returned_.fetch_add(1); }
  void note_throw() noexcept { thrown_.fetch_add(1); }

  // By who spawned it, when it must have ended.
  void add(const task_ref& ended) {
    added_.fetch_add(1);
    switch (ended.status()) {
      case task_status::completed:
        completed_.fetch_add(1);
        break;
      case task_status::failed:
        failed_.fetch_add(1);
        break;
      case task_status::cancelled:
        cancelled_.fetch_add(1);
        break;
      default:
        ADD_FAILURE() << "has not ended: " << to_string(ended.status());
    }
  }

  long added() const noexcept { return added_.load(); }
  long completed() const noexcept { return completed_.load(); }
  long failed() const noexcept { return failed_.load(); }
  long cancelled() const noexcept { return cancelled_.load(); }
  long thrown() const noexcept { return thrown_.load(); }

  void expect_exact(long spawned) const {
    EXPECT_EQ(added_.load(), spawned);
    EXPECT_EQ(completed_.load() + failed_.load() + cancelled_.load(), spawned);
    EXPECT_EQ(completed_.load(), returned_.load());
    EXPECT_EQ(failed_.load(), thrown_.load());
  }

 private:
  std::atomic<long> returned_{0};
  std::atomic<long> thrown_{0};
  std::atomic<long> added_{0};
  std::atomic<long> completed_{0};
  std::atomic<long> failed_{0};
  std::atomic<long> cancelled_{0};
};

// Random numbers, as wide as they are used.
class dice {
 public:
  explicit dice(unsigned seed) : engine_(seed) {}

  unsigned operator()() { return static_cast<unsigned>(engine_()); }

 private:
  std::minstd_rand engine_;
};

// Ends soon by itself in one of several ways; or never, if `may_stay`.
inline task<int> racing_child(unsigned kind, end_counts& counts, bool may_stay = false) {
  switch (kind % 5) {
    case 0:
      break;
    case 1:
      co_await yield();
      break;
    case 2:
      co_await sleep_for(std::chrono::microseconds(kind / 5 % 30));
      break;
    case 3:
      for (unsigned i = 0; i != kind / 5 % 4; ++i) {
        co_await yield();
      }
      break;
    default:
      if (may_stay) {
        co_await sleep_for(std::chrono::hours(1));
      }
  }
  counts.note_return();
  co_return 7;
}

// Lets another thread in first, or not.
inline task<int> racing_failure(unsigned kind, end_counts& counts) {
  for (unsigned i = 0; i != kind % 3; ++i) {
    co_await yield();
  }
  counts.note_throw();
  throw std::runtime_error("raced");
}

// A runtime of several threads on which two tasks run rounds, each with its own random numbers.
class race_test : public testing::Test {
 protected:
  using round = std::function<task<>(dice&)>;

  race_test() : seed_(std::random_device()()) {}

  void TearDown() override {
    if (HasFailure()) {
      std::printf("seed %u\n", seed_);
    }
  }

  static options several_threads() { return {.threads = 4}; }

  // `each` outlives the rounds; they are n, or one less.
  long run_rounds(runtime& rt, long n, const round& each) const {
    const long half = n / 2;
    const auto drive = [&each, half](unsigned seed) -> task<> {
      dice random(seed);
      for (long i = 0; i != half; ++i) {
        co_await each(random);
      }
    };
    rt.block_on([&]() -> task<> {
      const task_handle<> one = spawn(drive(seed_));
      const task_handle<> two = spawn(drive(seed_ + 1));
      co_await one;
      co_await two;
    });
    return 2 * half;
  }

 private:
  const unsigned seed_;
};

}  // namespace coppice::testing_support::inline joining
