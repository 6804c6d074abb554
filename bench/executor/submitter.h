// A thread outside the executor that hands it something now and then, and how long that takes to start.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <coroutine>
#include <exception>
#include <semaphore>
#include <thread>

#include "bench/executor/tasks.h"

namespace bench::executor_suite {

// Under real-time priority workers that never pause would never let an equal run: whoever measures them
// stands one above. Without such a priority there is nothing to do.
inline void outrank_workers() noexcept {
  int policy = 0;
  sched_param own = {};
  if (pthread_getschedparam(pthread_self(), &policy, &own) == 0 &&
      (policy == SCHED_FIFO || policy == SCHED_RR)) {
    ++own.sched_priority;
    pthread_setschedparam(pthread_self(), policy, &own);
  }
}

// From just before the submission to the first instruction on a worker.
class arrival {
 public:
  void begin() noexcept { begun_ = clock::now(); }

  // On the worker.
  void arrived() noexcept {
    latency_ = clock::now() - begun_;
    here_.release();
  }

  clock::duration wait() noexcept {
    here_.acquire();
    return latency_;
  }

 private:
  clock::time_point begun_;
  clock::duration latency_{};
  std::binary_semaphore here_{0};
};

// spawn() of a plain function.
inline clock::duration time_spawn(executor& on) {
  arrival one;
  one.begin();
  const coppice::task_handle<> handle = on.spawn([&one] { one.arrived(); });
  return one.wait();
}

// A coroutine of nobody's.
struct plain_coroutine {
  struct promise_type {
    plain_coroutine get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

inline plain_coroutine visit(executor& on, arrival& one) {
  one.begin();
  co_await on.schedule();
  one.arrived();
}

// schedule() by a coroutine that is not a task.
inline clock::duration time_schedule(executor& on) {
  arrival one;
  visit(on, one);
  return one.wait();
}

// Pauses of uneven length, so that no pattern of the workers' is hit again and again.
class pauses {
 public:
  explicit pauses(clock::duration about) noexcept : about_(about) {}

  clock::duration next() noexcept {
    state_ = state_ * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
    return about_ / 2 + about_ * static_cast<clock::rep>(state_ >> 54) / 1024;
  }

 private:
  const clock::duration about_;
  std::uint64_t state_ = 2;
};

// Takes samples, with pauses in which idle workers go to sleep.
inline samples submit(executor& on, clock::duration (*time_one)(executor&), std::size_t count) {
  samples result(count);
  pauses between(std::chrono::microseconds(400));
  outrank_workers();
  for (std::size_t i = 0; i != 20; ++i) {
    time_one(on);
  }
  while (!result.full()) {
    std::this_thread::sleep_for(between.next());
    result.add(time_one(on));
  }
  return result;
}

}  // namespace bench::executor_suite
