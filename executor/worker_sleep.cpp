// How a worker that has found nothing goes to sleep, and what it sees to meanwhile.
#include "executor/executor_core.h"
#include "executor/worker.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

constexpr auto idle_before_trim = std::chrono::milliseconds(10);
constexpr auto watch_period = std::chrono::milliseconds(1);

}  // namespace

bool worker::work_in_sight() const noexcept {
  return home.stopping() || home.wakes_in_sight() || home.submitted_in_sight() ||
         std::any_of(home.workers.begin(), home.workers.end(),
                     [](const auto& each) { return each->has_stealable(); }) ||
         walk_to_join();
}

// Sleeps on virtual time.
void worker::rest() noexcept {
  count(counters_.parks);
  home.still->rest(*this, index_, std::exchange(searching_, true));
  read_clock();
}

// Null if there may be something to find now. See executor/README.md for why no wake-up is lost.
job* worker::sleep() noexcept {
  frames.flush();
  if (backlog_first_ != nullptr) {
    return nullptr;  // Nobody else can see it.
  }
  if (home.still != nullptr) {
    rest();
    return nullptr;
  }
  bool all_asleep = home.idle.announce(index_, std::exchange(searching_, true));
  if (work_in_sight()) {
    home.idle.retract(index_);
    return nullptr;
  }
  count(counters_.parks);
  time_point trim_at = frames.held_bytes() > home.settings.frame_cache_bytes
                           ? home.time.now() + idle_before_trim
                           : time_point::max();
  bool watching = !all_asleep && !home.watched.exchange(true, std::memory_order_relaxed);
  job* found = nullptr;
  while (!home.idle.wait(index_, std::min({earliest_timer(), trim_at, next_watch(watching)}))) {
    const time_point now = read_clock();
    if (now >= trim_at) {
      frames.trim(home.settings.frame_cache_bytes);
      trim_at = time_point::max();
    }
    if (earliest_timer() <= now || (watching && (found = look_after_others(now)) != nullptr)) {
      break;
    }
    all_asleep = home.idle.announce(index_, true);
    if (work_in_sight()) {
      home.idle.retract(index_);
      break;
    }
    if (all_asleep && watching) {
      watching = false;
      home.watched.store(false, std::memory_order_relaxed);
    }
  }
  if (watching) {
    home.watched.store(false, std::memory_order_relaxed);
  }
  read_clock();
  return found;
}

time_point worker::next_watch(bool watching) const noexcept {
  return watching ? home.time.now() + watch_period : time_point::max();
}

// Others may be too busy to see to their timers, or to what they mean to run next.
job* worker::look_after_others(time_point now) noexcept {
  for (const auto& other : home.workers) {
    if (other->earliest_timer() <= now) {
      other->fire_timers(*this, now);
    }
  }
  if (job* const found = ready_.steal()) {
    return found;
  }
  return steal_from_others(true);
}

}  // namespace coppice::inline v0::detail
