// What does it cost to give way, to be queued again, and to be woken by another task?
#include <semaphore>

#include <coppice/detail/wait.h>

#include "bench/executor/tasks.h"

namespace bench::executor_suite {
namespace {

using coppice::detail::ticket;
using coppice::detail::wait_operation;
using coppice::detail::worker_core;

task<void> yield_often(std::size_t times) {
  for (std::size_t i = 0; i != times; ++i) {
    co_await coppice::yield();
  }
}

template <std::size_t Tasks>
numbers yields(const setting& at) {
  warm_executor on(at.workers);
  const std::size_t times = at.scaled(4'000'000) / Tasks;
  on.block_on(yield_often(times / 10));
  const auto begun = clock::now();
  for (std::size_t i = 0; i != Tasks; ++i) {
    on.spawn(yield_often(times));
  }
  on.wait_until_idle();
  const double ns = ns_since(begun);
  require(on.counts().completed == on.counts().spawned, "a task that yields has not ended well");
  return numbers(ns / static_cast<double>(times * Tasks));
}

// A job that queues itself again and again.
class hopper : public coppice::detail::job {
 public:
  hopper(void (worker_core::*queue)(job&) noexcept, std::size_t times) noexcept
      : queue_(queue), left_(times) {
    run = [](job& self, worker_core& here) noexcept {
      auto& hopping = static_cast<hopper&>(self);
      if (--hopping.left_ != 0) {
        (here.*hopping.queue_)(hopping);
      } else {
        hopping.done_.release();
      }
    };
  }

  void wait() noexcept { done_.acquire(); }

 private:
  void (worker_core::* const queue_)(job&) noexcept;
  std::size_t left_;
  std::binary_semaphore done_{0};
};

numbers hops(const setting& at, void (worker_core::*queue)(coppice::detail::job&) noexcept) {
  warm_executor on(at.workers);
  const std::size_t times = at.scaled(5'000'000);
  hopper hopping(queue, times);
  const auto begun = clock::now();
  on.post(hopping);
  hopping.wait();
  return numbers(ns_since(begun) / static_cast<double>(times));
}

numbers post_next(const setting& at) {
  return hops(at, &worker_core::post_next);
}
numbers post(const setting& at) {
  return hops(at, &worker_core::post);
}

// Whose turn it is. Of two tasks on one worker, so nothing here is atomic.
class turns {
 public:
  bool is(unsigned whose) const noexcept { return whose_ == whose; }

  void pass() noexcept {
    whose_ = 1 - whose_;
    const ticket other = std::exchange(waiting_, {});
    if (other && other.claim() == coppice::detail::claim_result::won) {
      other.at->waiter().resume();
    }
  }

  void wait(const ticket& wait) noexcept { waiting_ = wait; }

 private:
  unsigned whose_ = 0;
  ticket waiting_;
};

class turn_source {
 public:
  using value_type = void;
  static constexpr const char* name = "turn";

  turn_source(turns& of, unsigned whose) noexcept : of_(of), whose_(whose) {}

  bool ready() const noexcept { return of_.is(whose_); }
  void arm(const ticket& wait, worker_core&) const noexcept { of_.wait(wait); }
  void disarm() const noexcept {}
  void result() const noexcept {}

 private:
  turns& of_;
  const unsigned whose_;
};

task<void> play(turns& between, unsigned me, std::size_t rounds) {
  for (std::size_t i = 0; i != rounds; ++i) {
    co_await wait_operation<turn_source>(turn_source(between, me));
    between.pass();
  }
}

// There and back: two suspensions and two wake-ups.
numbers two_tasks(const setting& at) {
  warm_executor on(at.workers);
  const std::size_t rounds = at.scaled(2'000'000);
  turns between;
  const auto begun = clock::now();
  on.spawn(play(between, 0, rounds));
  on.spawn(play(between, 1, rounds));
  on.wait_until_idle();
  const double ns = ns_since(begun);
  require(between.is(0) && on.counts().completed == on.counts().spawned,
          "a task has not had all of its turns");
  return numbers(ns / static_cast<double>(rounds));
}

using handle = coppice::task_handle<std::uint64_t>;

struct chain {
  std::atomic<std::size_t> waiting{0};
  std::atomic<bool> open{false};
};

task<std::uint64_t> first_link(chain& all) {
  while (!all.open.load(std::memory_order_acquire)) {
    co_await coppice::yield();
  }
  co_return std::uint64_t{0};
}

task<std::uint64_t> link(handle before, chain& all) {
  all.waiting.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t number = co_await before;
  co_return number + 1;
}

// Tasks that each wait for the handle of the one before; then the first ends.
task<double> handle_chain(executor& on, std::size_t length) {
  chain all;
  handle last = on.spawn(first_link(all));
  for (std::size_t i = 0; i != length; ++i) {
    last = on.spawn(link(last, all));
  }
  while (all.waiting.load(std::memory_order_relaxed) != length) {
    co_await coppice::yield();
  }
  const auto begun = clock::now();
  all.open.store(true, std::memory_order_release);
  const std::uint64_t number = co_await last;
  const double ns = ns_since(begun);
  require(number == length, "a link of the chain is missing");
  co_return ns;
}

numbers handles(const setting& at) {
  constexpr std::size_t length = 10'000;
  warm_executor on(at.workers);
  on.block_on(handle_chain(on, length));
  const std::size_t rounds = at.scaled(20);
  double ns = 0;
  for (std::size_t round = 0; round != rounds; ++round) {
    ns += on.block_on(handle_chain(on, length));
  }
  return numbers(ns / static_cast<double>(rounds * length));
}

constexpr row rows[] = {
    {"hop/yield/1_task", 1, &yields<1>},
    {"hop/yield/2_tasks", 1, &yields<2>},
    {"hop/yield/1000_tasks", 1, &yields<1000>},
    {"hop/yield/1000_tasks", 2, &yields<1000>},
    {"hop/post", 1, &post},
    {"hop/post_next", 1, &post_next},
    {"hop/two_tasks_round_trip", 1, &two_tasks},
    {"hop/handle", 1, &handles},
    {"hop/handle", 2, &handles},
};

}  // namespace

std::span<const row> hop_rows() noexcept {
  return rows;
}

}  // namespace bench::executor_suite
