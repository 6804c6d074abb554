// What does it add to a suspension that a cancel can find it?
#include <coppice/awaiter.h>
#include <coppice/detail/wait.h>

#include <algorithm>

#include "bench/supervision/growing.h"
#include "bench/support/crowd.h"

namespace bench::supervision_suite {
namespace {

using coppice::detail::job;
using coppice::detail::promise_base;
using coppice::detail::worker_core;

// Every suspension here ends by a job that is queued as the task suspends, and that then queues the task.

// Nobody can find this one.
class plain_wait : public coppice::detail::own_awaitable, job {
 public:
  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) noexcept {
    task_ = &awaiting.promise();
    run = [](job& self, worker_core& here) noexcept {
      here.post_next(static_cast<plain_wait&>(self).task_->as_job());
    };
    coppice::detail::current_worker->post(*this);
    return std::noop_coroutine();
  }

  void await_resume() const noexcept {}

 private:
  promise_base* task_ = nullptr;
};

// What a cancellable wait is made for.
class soon : job {
 public:
  using value_type = void;
  static constexpr const char* name = "soon";

  bool ready() const noexcept { return false; }
  void arm(const coppice::detail::ticket& armed, worker_core& here) noexcept {
    wait_ = armed;
    run = [](job& self, worker_core& worker) noexcept {
      const coppice::detail::ticket wait = static_cast<soon&>(self).wait_;
      if (wait.claim() == coppice::detail::claim_result::won) {
        worker.post_next(wait.at->waiter().resumption());
      }
    };
    here.post(*this);
  }
  void disarm() const noexcept {}
  void result() const noexcept {}

 private:
  coppice::detail::ticket wait_;
};

// The same for perform(): the contract that users write to.
class soon_performed : job {
 public:
  using value_type = void;

  void start(coppice::completion<> given) {
    done_ = std::move(given);
    run = [](job& self, worker_core&) noexcept {
      const coppice::completion<> done = std::move(static_cast<soon_performed&>(self).done_);
      done.complete();
    };
    coppice::detail::current_worker->post(*this);
  }
  void cancel() noexcept {}

 private:
  coppice::completion<> done_;
};

task<> wait_plainly(std::size_t times) {
  for (std::size_t i = 0; i != times; ++i) {
    co_await plain_wait();
  }
}
task<> wait_cancellably(std::size_t times) {
  for (std::size_t i = 0; i != times; ++i) {
    co_await coppice::detail::wait_operation<soon>(soon());
  }
}
task<> wait_performing(std::size_t times) {
  for (std::size_t i = 0; i != times; ++i) {
    soon_performed operation;
    co_await coppice::perform(operation);
  }
}

// So many tasks of one group.
task<double> tasks_waiting(std::size_t tasks, std::size_t times, task<> (*one)(std::size_t)) {
  const auto begun = clock::now();
  const auto body = [&](task_group& waiting) -> task<> {
    for (std::size_t i = 0; i != tasks; ++i) {
      waiting.spawn(one(times));
    }
    co_return;
  };
  co_await coppice::with_group(body);
  co_return ns_since(begun);
}

// Several tasks a worker, so that a worker always has one that is ready.
task<double> all_waiting(unsigned workers, std::size_t times, task<> (*one)(std::size_t)) {
  constexpr unsigned a_worker = 16;
  const double ns = co_await tasks_waiting(a_worker * workers, times, one);
  co_return ns / static_cast<double>(a_worker * times);
}

// In turns: each worker's nanoseconds a suspension, the least of all rounds.
numbers waits(const setting& at) {
  runtime on(options_for(at, others::search));
  const std::size_t times = at.scaled(40'000);
  double plain = 1e18;
  double cancellable = 1e18;
  double performed = 1e18;
  for (int round = 0; round != 7; ++round) {
    plain = std::min(plain, on.block_on(all_waiting(at.workers, times, &wait_plainly)));
    cancellable =
        std::min(cancellable, on.block_on(all_waiting(at.workers, times, &wait_cancellably)));
    performed = std::min(performed, on.block_on(all_waiting(at.workers, times, &wait_performing)));
  }
  return numbers(cancellable)
      .add("ns_plain", plain)
      .add("ns_added", cancellable - plain)
      .add("ns_added_perform", performed - plain);
}

constexpr row rows[] = {
    {"wait/suspend_and_resume", 1, &waits},
    {"wait/suspend_and_resume", 2, &waits},
    {"wait/suspend_and_resume", 4, &waits},
};

}  // namespace

double ns_to_suspend_and_resume(runtime& on, std::size_t size) {
  const std::size_t times = std::max<std::size_t>(100'000 / size, 4);
  const double ns = on.block_on(tasks_waiting(size, times, &wait_cancellably));
  return ns / static_cast<double>(size * times);
}

std::span<const row> wait_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
