// What would a cancel cost that had nothing to find, ask, count or tell: a loop that destroys suspended frames?
#include <coppice/detail/promise_base.h>

#include <coroutine>
#include <exception>
#include <utility>

#include "bench/supervision/crowd.h"
#include "bench/support/opaque.h"

namespace bench::supervision_suite {
namespace {

// A coroutine of nobody's, its frame from the worker's pool.
class bare_frame {
 public:
  struct promise_type {
    bare_frame get_return_object() noexcept {
      return bare_frame(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    static void* operator new(std::size_t bytes) {
      return coppice::detail::promise_base::operator new(bytes);
    }
    static void operator delete(void* frame, std::size_t bytes) noexcept {
      coppice::detail::promise_base::operator delete(frame, bytes);
    }
  };

  explicit bare_frame(std::coroutine_handle<> own) noexcept : own_(own) {}
  bare_frame(bare_frame&& other) noexcept : own_(std::exchange(other.own_, nullptr)) {}
  bare_frame& operator=(bare_frame&&) = delete;
  ~bare_frame() {
    if (own_) {
      own_.destroy();
    }
  }

 private:
  std::coroutine_handle<> own_;
};

BENCH_OPAQUE bare_frame waiting(crowd& all, std::size_t which) {
  const crowd::mark here(all, which);
  co_await std::suspend_always();
}

// The parts of all threads begin together.
class line_up {
 public:
  explicit line_up(unsigned parts) noexcept : missing_(parts) {}

  ticks wait() noexcept {
    missing_.fetch_sub(1, std::memory_order_acq_rel);
    while (missing_.load(std::memory_order_acquire) != 0) {
    }
    return ticks_now();
  }

 private:
  std::atomic<unsigned> missing_;
};

// Keeps its worker from one end to the other.
task<> destroy_part(crowd& all, std::size_t from, std::size_t to, line_up& start, ticks& begun) {
  std::vector<bare_frame> frames;
  frames.reserve(to - from);
  for (std::size_t i = from; i != to; ++i) {
    frames.push_back(waiting(all, i));
  }
  const ticks mine = start.wait();
  if (from == 0) {
    begun = mine;
  }
  frames.clear();
  co_return;
}

task<event> destroy_all(crowd& all, unsigned parts) {
  event one;
  line_up start(parts);
  const auto body = [&](task_group& workers) -> task<> {
    for (unsigned i = 0; i != parts; ++i) {
      workers.spawn(destroy_part(all, all.size() * i / parts, all.size() * (i + 1) / parts, start,
                                 one.begun));
    }
    co_return;
  };
  co_await coppice::with_group(body);
  one.joined = ticks_now();
  co_return one;
}

// With two threads one may see the other's start a little late.
numbers measure(const setting& at, std::size_t leaves, std::size_t times) {
  runtime on(options_for(at, others::search));
  crowd all(leaves);
  events seen(at.scaled(times));
  on.block_on(destroy_all(all, at.workers));
  for (std::size_t i = at.scaled(times); i != 0; --i) {
    event one = on.block_on(destroy_all(all, at.workers));
    for (const ticks each : all.observed()) {
      one.begun = std::min(one.begun, each);
    }
    one.returned = one.begun;
    seen.add(one, all);
  }
  return seen.observed();
}

template <std::size_t Leaves, std::size_t Times>
numbers limit(const setting& at) {
  return measure(at, Leaves, Times);
}

numbers limit_million(const setting& at) {
  return measure(at, at.scaled(1'000'000), 5);
}

constexpr row rows[] = {
    {"limit/flat/1000", 1, &limit<1'000, 500>},    {"limit/flat/1000", 2, &limit<1'000, 500>},
    {"limit/flat/10000", 1, &limit<10'000, 100>},  {"limit/flat/10000", 2, &limit<10'000, 100>},
    {"limit/flat/100000", 1, &limit<100'000, 20>}, {"limit/flat/100000", 2, &limit<100'000, 20>},
    {"limit/flat/1000000", 2, &limit_million},
};

}  // namespace

std::span<const row> limit_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
