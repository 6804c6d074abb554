// From the bottom of a chain of frames to who catches: by a stop, by exceptions, by a return?
#include <algorithm>
#include <chrono>

#include "bench/support/opaque.h"
#include "bench/unwind/ways.h"

namespace bench::unwind_suite {
namespace {

// Chains that take longest are made least often.
std::size_t times_for(const setting& at, std::size_t frames) {
  return at.scaled(std::max<std::size_t>(100'000 / frames, 2'000));
}

// Each fall, as a distribution.
class falls {
 public:
  explicit falls(std::size_t most) : took_(most) {}

  void add(const fall& one) noexcept {
    const double ns = ns_per_tick_ * static_cast<double>(one.took());
    took_.add(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
    allocations_ += one.allocations();
  }

  // `whole` is the time of all, chains made and gone.
  numbers result(double ns_whole) {
    const auto count = static_cast<double>(took_.count());
    return distribution(took_)
        .add("ns_with_descent", ns_whole / count)
        .add("allocations_each", static_cast<double>(allocations_) / count);
  }

 private:
  const double ns_per_tick_ = measure_ns_per_tick();
  samples took_;
  std::uint64_t allocations_ = 0;
};

template <const way& By, std::size_t Frames>
numbers in_tasks(const setting& at) {
  coppice::runtime on({.threads = at.workers});
  const std::size_t times = times_for(at, Frames);
  falls all(times);
  fall one;
  const auto nothing = [] {};
  on.block_on(fall_often(By, one, Frames, times / 10, nothing));
  const auto keep = [&] { all.add(one); };
  const auto begun = clock::now();
  on.block_on(fall_often(By, one, Frames, times, keep));
  return all.result(ns_since(begun));
}

// ---- The same in plain functions ----------------------------------------------------------------

BENCH_OPAQUE void call_down(fall& one, std::size_t frames) {
  const fall::local here(one);
  if (frames == 1) {
    one.begin();
    throw bottom_reached();
  }
  call_down(one, frames - 1);
}

template <std::size_t Frames>
numbers in_functions(const setting& at) {
  const std::size_t times = times_for(at, Frames);
  falls all(times);
  fall one;
  const auto fall_once = [&one] {
    try {
      call_down(one, Frames);
    } catch (const bottom_reached&) {
      one.end();
      return;
    }
    require(false, "nothing was thrown");
  };
  for (std::size_t i = 0; i != times / 10; ++i) {
    fall_once();
  }
  const auto begun = clock::now();
  for (std::size_t i = 0; i != times; ++i) {
    fall_once();
    all.add(one);
  }
  const double ns_whole = ns_since(begun);
  require(one.unwound() == Frames * (times + times / 10), "not every frame is gone");
  return all.result(ns_whole);
}

constexpr row rows[] = {
    {"stop/1", 1, &in_tasks<stop_way, 1>},           {"stop/3", 1, &in_tasks<stop_way, 3>},
    {"stop/10", 1, &in_tasks<stop_way, 10>},         {"stop/30", 1, &in_tasks<stop_way, 30>},
    {"stop/100", 1, &in_tasks<stop_way, 100>},       {"throw/1", 1, &in_tasks<throw_way, 1>},
    {"throw/3", 1, &in_tasks<throw_way, 3>},         {"throw/10", 1, &in_tasks<throw_way, 10>},
    {"throw/30", 1, &in_tasks<throw_way, 30>},       {"throw/100", 1, &in_tasks<throw_way, 100>},
    {"nothrow/1", 1, &in_tasks<nothrow_way, 1>},     {"nothrow/3", 1, &in_tasks<nothrow_way, 3>},
    {"nothrow/10", 1, &in_tasks<nothrow_way, 10>},   {"nothrow/30", 1, &in_tasks<nothrow_way, 30>},
    {"nothrow/100", 1, &in_tasks<nothrow_way, 100>}, {"return/10", 1, &in_tasks<return_way, 10>},
    {"return/100", 1, &in_tasks<return_way, 100>},   {"functions_throw/1", 1, &in_functions<1>},
    {"functions_throw/10", 1, &in_functions<10>},    {"functions_throw/100", 1, &in_functions<100>},
};

}  // namespace

std::span<const row> way_rows() noexcept {
  return rows;
}

}  // namespace bench::unwind_suite
