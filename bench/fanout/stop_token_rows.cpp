// How soon are coroutines gone that a std::stop_callback resumes, on the thread that requests the stop?
#include <coroutine>
#include <deque>
#include <optional>
#include <stop_token>

#include "bench/fanout/row.h"
#include "bench/fanout/scene.h"
#include "bench/fanout/tree.h"
#include "bench/support/bare_frame.h"
#include "bench/support/opaque.h"

namespace bench::fanout_suite {
namespace {

// Suspends until the stop.
class stopped {
 public:
  explicit stopped(std::stop_token by) noexcept : by_(std::move(by)) {}

  bool await_ready() const noexcept { return by_.stop_requested(); }
  void await_suspend(std::coroutine_handle<> waiting) {
    callback_.emplace(std::move(by_), resume{waiting});
  }
  void await_resume() const noexcept {}

 private:
  struct resume {
    std::coroutine_handle<> waiting;
    void operator()() const noexcept { waiting.resume(); }
  };

  std::stop_token by_;
  std::optional<std::stop_callback<resume>> callback_;
};

// Frees its frame when it has been resumed.
BENCH_OPAQUE bare_frame leaf(crowd& all, std::size_t which, std::stop_token by) {
  const crowd::mark here(all, which);
  stopped stop(std::move(by));
  all.falls_asleep();
  co_await stop;
}

// What stops a group is the stop of the group around it.
class stoppable {
 public:
  explicit stoppable(std::stop_token around) : from_around_(std::move(around), forward{&stop_}) {}

  std::stop_token token() const noexcept { return stop_.get_token(); }
  void stop() noexcept { stop_.request_stop(); }

 private:
  struct forward {
    std::stop_source* to;
    void operator()() const noexcept { to->request_stop(); }
  };

  std::stop_source stop_;
  std::stop_callback<forward> from_around_;
};

// All of it on one worker, which nothing interrupts.
task<fan_out> cancel(const tree& groups, crowd& all, layout frames) {
  fan_out one;
  if (frames == layout::scattered) {
    scatter(all.size(), [&](std::size_t i) { return leaf(all, i, std::stop_token()); });
    all.begin_again();
  }
  std::deque<stoppable> stops;
  std::vector<std::stop_token> around(groups.size());
  for (std::size_t i = 0; i != groups.size(); ++i) {
    const stoppable& made = stops.emplace_back(std::move(around[i]));
    for (const std::size_t inner : groups[i].groups) {
      around[inner] = made.token();
    }
    for (std::size_t which = 0; which != groups[i].leaves; ++which) {
      leaf(all, groups[i].first_leaf + which, made.token()).release();
    }
  }
  require(all.all_asleep(), "a leaf does not wait");
  one.begun = ticks_now();
  stops.front().stop();
  one.returned = ticks_now();
  stops.clear();
  one.joined = ticks_now();
  co_return one;
}

numbers measure(const scene& at, const setting& how) {
  runtime on(options_for(how, at.workers));
  const tree groups = make_tree(at);
  crowd all(at.leaves);
  return all_three(
      repeat(at, how, all, [&] { return on.block_on(cancel(groups, all, at.frames)); }));
}

constexpr contender us = contender::std_stop_token;

constexpr scene scenes[] = {
    {.system = us, .leaves = 1'000},
    {.system = us, .leaves = 10'000},
    {.system = us, .leaves = 100'000},
    {.system = us, .leaves = 1'000'000},
    {.system = us, .shape = form::wide, .leaves = 10'000},
    {.system = us, .shape = form::deep, .leaves = 1'000},
    {.system = us, .shape = form::random, .leaves = 10'000},
    {.system = us, .leaves = 10'000, .frames = layout::scattered},
    {.system = us, .leaves = 100'000, .frames = layout::scattered},
};

}  // namespace

std::span<const row> stop_token_rows() noexcept {
  return rows_of<scenes, &measure>;
}

}  // namespace bench::fanout_suite
