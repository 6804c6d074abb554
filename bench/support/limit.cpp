// The loop.
#include "bench/support/limit.h"

#include <algorithm>
#include <coroutine>
#include <vector>

#include "bench/support/bare_frame.h"
#include "bench/support/opaque.h"

namespace bench {
namespace {

BENCH_OPAQUE bare_frame waiting(crowd& all, std::size_t which) {
  const crowd::mark here(all, which);
  co_await std::suspend_always();
}

// Keeps its worker from one end to the other.
task<> resume_part(crowd& all, std::size_t from, std::size_t until, layout lying, line_up& start,
                   fan_out& mine) {
  constexpr std::size_t ahead = 4;
  const auto make = [&](std::size_t i) { return waiting(all, from + i); };
  if (lying == layout::scattered) {
    scatter(until - from, make);
  }
  std::vector<bare_frame> frames;
  frames.reserve(until - from);
  for (std::size_t i = 0; i != until - from; ++i) {
    frames.push_back(make(i));
  }
  mine.begun = start.wait();
  for (std::size_t i = 0; i != frames.size(); ++i) {
    frames[std::min(i + ahead, frames.size() - 1)].fetch();
    frames[i].resume();
  }
  mine.joined = ticks_now();
  co_return;
}

task<> resume_parts(crowd& all, layout lying, std::vector<fan_out>& parts) {
  line_up start(static_cast<unsigned>(parts.size()));
  const auto body = [&](task_group& workers) -> task<> {
    for (std::size_t i = 0; i != parts.size(); ++i) {
      workers.spawn(resume_part(all, all.size() * i / parts.size(),
                                all.size() * (i + 1) / parts.size(), lying, start, parts[i]));
    }
    co_return;
  };
  co_await coppice::with_group(body);
}

}  // namespace

// With two workers one may see the other's start a little late.
fan_out resume_all(runtime& on, crowd& all, layout frames) {
  std::vector<fan_out> parts(on.workers());
  on.block_on(resume_parts(all, frames, parts));
  fan_out whole = parts.front();
  for (const fan_out& part : parts) {
    whole.begun = std::min(whole.begun, part.begun);
    whole.joined = std::max(whole.joined, part.joined);
  }
  whole.returned = whole.begun;
  return whole;
}

}  // namespace bench
