// The timers of a worker, and who sees to them: the loop, the fork path, and code that asks whether it is to stop.
#include <coppice/detail/alarm.h>

#include "executor/executor_core.h"
#include "executor/worker.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

namespace coppice::inline v0::detail {

namespace {

// How late a deadline may be when every worker computes and asks often enough.
constexpr auto between_looks = std::chrono::microseconds(50);
constexpr std::uint32_t most_polls_between_looks = 1024;

}  // namespace

// In order of the time they are due.
struct due_alarms {
  void add(job& later) noexcept {
    later.next = nullptr;
    (first == nullptr ? first : last->next) = &later;
    last = &later;
  }

  job* first = nullptr;
  job* last = nullptr;
};

void worker::add_timer(time_point due, ticket wait) {
  if (due == time_point::max()) {
    return;  // Never.
  }
  const std::lock_guard lock(timers_mutex_);
  timers_.insert(due, wait);
  earliest_timer_.store(timers_.earliest(), std::memory_order_relaxed);
}

bool worker::fire_timers(worker& here, time_point now, due_alarms* alarms) noexcept {
  if (earliest_timer() > now) {
    return false;
  }
  bool any = false;
  const std::lock_guard lock(timers_mutex_);
  while (const ticket due = timers_.take_due(now)) {
    if (due.claim() == claim_result::won) {
      job& ready = due.at->waiter().resumption();
      if (alarms != nullptr && alarm::rings_anywhere(ready)) {
        alarms->add(ready);
      } else {
        here.add_ready(ready);
      }
      any = true;
    }
  }
  earliest_timer_.store(timers_.earliest(), std::memory_order_relaxed);
  return any;
}

std::optional<time_point> worker::earliest_open_timer() noexcept {
  const std::lock_guard lock(timers_mutex_);
  const std::optional<time_point> earliest = timers_.earliest_open();
  earliest_timer_.store(timers_.earliest(), std::memory_order_relaxed);
  return earliest;
}

std::size_t worker::open_timers() const noexcept {
  const std::lock_guard lock(timers_mutex_);
  return timers_.open_count();
}

// Between a poll and the next there may be a nanosecond or a millisecond, so their number is adapted to the time they take.
void worker::pass_deadlines() noexcept {
  const time_point before = loop_time;
  const time_point now = read_clock();
  if (now - before < between_looks / 2) {
    polls_between_looks_ = std::min(polls_between_looks_ * 2, most_polls_between_looks);
  } else if (now - before > between_looks) {
    polls_between_looks_ = std::max(polls_between_looks_ / 8, std::uint32_t{1});
  }
  polls_until_look = polls_between_looks_;
  if (home.still != nullptr) {
    return;  // Its time does not go on while somebody runs.
  }
  due_alarms alarms;
  for (const auto& each : home.workers) {
    each->fire_timers(*this, now, &alarms);
  }
  while (job* const each = alarms.first) {
    alarms.first = each->next;
    each->run(*each, *this);
  }
}

}  // namespace coppice::inline v0::detail
