// Looking after those that were asked to stop.
#include "supervision/cancel_watch.h"

#include "supervision/task_list.h"

#include <coppice/dump.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

namespace {

// Most of those that are asked to stop have ended a moment later: to look for them at once would only be in their way.
// And many cancels one after the other are looked at together.
constexpr int looks_per_limit = 8;

// Looking at very many tasks takes long, and shall not take a core.
constexpr int rests_per_look = 20;

// False if the time is up before there was a post.
bool wait_for_post(sem_t& posted, std::optional<time_point> until) noexcept {
  for (;;) {
    int failed = 0;
    if (until) {
      const auto since = until->time_since_epoch();
      const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since);
      const timespec at = {.tv_sec = whole.count(), .tv_nsec = (since - whole).count()};
      failed = ::sem_clockwait(&posted, CLOCK_MONOTONIC, &at);
    } else {
      failed = ::sem_wait(&posted);
    }
    if (failed == 0 || errno != EINTR) {
      return failed == 0;
    }
  }
}

}  // namespace

cancel_watch::cancel_watch() noexcept {
  ::sem_init(&wake_, 0, 0);
  run = [](job& self, worker_core&) noexcept { static_cast<cancel_watch&>(self).start(); };
}

cancel_watch::~cancel_watch() {
  ::sem_destroy(&wake_);
}

void cancel_watch::watch(executor& tasks, bool on_virtual_time, bool at_once) noexcept {
  limit_ = *tasks.effective_options().cancel_watchdog;
  if (limit_ == forever) {
    return;
  }
  tasks_ = &tasks;
  if (!on_virtual_time) {
    starting_.store(at_once, std::memory_order_relaxed);
    if (at_once) {
      start();
    }
  }
  tasks.observe_cancels(*this);
}

// Without a thread for it nobody is told; that is no reason not to run.
void cancel_watch::start() noexcept try {
  const std::lock_guard lock(mutex_);
  if (!stopping_.load(std::memory_order_relaxed)) {
    thread_ = std::thread([this] { run_thread(); });
  }
} catch (...) {
  return;
}

void cancel_watch::stop() noexcept {
  starting_.store(true, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true, std::memory_order_relaxed);
  }
  ::sem_post(&wake_);
  if (thread_.joinable()) {
    thread_.join();
  }
}

void cancel_watch::cancel_requested() noexcept {
  if (marked_.exchange(true, std::memory_order_acq_rel)) {  // CW1
    return;
  }
  ::sem_post(&wake_);
  if (!starting_.load(std::memory_order_relaxed) &&
      !starting_.exchange(true, std::memory_order_relaxed)) {
    tasks_->post(*this);
  }
}

void cancel_watch::run_thread() noexcept {
  duration last_look{};
  while (!stopping_.load(std::memory_order_relaxed)) {
    if (marked_.load(std::memory_order_relaxed) || wait_for_post(wake_, next_look())) {
      rest(std::max(limit_ / looks_per_limit, last_look * rests_per_look));
    }
    const time_point now = tasks_->time_now();
    look(now, now);
    last_look = tasks_->time_now() - now;
  }
}

void cancel_watch::rest(duration d) noexcept {
  const time_point rested = tasks_->time_now() + d;
  while (!stopping_.load(std::memory_order_relaxed) && tasks_->time_now() < rested) {
    wait_for_post(wake_, rested);
  }
}

// The latest time at which the first of them is late; none if there is nobody to wait for.
std::optional<time_point> cancel_watch::next_look() const noexcept {
  std::optional<time_point> soonest;
  for (const auto& [id, late] : late_) {
    if (!late.told && (!soonest || late.since + limit_ < *soonest)) {
      soonest = late.since + limit_;
    }
  }
  return soonest;
}

void cancel_watch::time_moved(time_point from) noexcept {
  const std::optional<time_point> soonest = next_look();
  const time_point now = tasks_->time_now();
  if (marked_.load(std::memory_order_relaxed) || (soonest && *soonest < now)) {
    look(from, now);
  }
}

// Those that it has not seen before were asked at `seen`, or a moment before.
void cancel_watch::look(time_point seen, time_point now) noexcept try {
  marked_.exchange(false, std::memory_order_acq_rel);  // CW1
  std::map<task_id, late_task> late;
  std::vector<task_info> to_tell;
  std::optional<calls_in_flight> calls;
  for (const task_ref& each : tasks_->live_tasks()) {
    if (!asked_to_stop(each)) {
      continue;
    }
    const auto before = late_.find(each.id());
    late_task& known = late[each.id()];
    known = before != late_.end() ? before->second : late_task{seen};
    if (!known.told && now - known.since > limit_) {
      known.told = true;
      if (!calls) {
        calls.emplace(*tasks_);
      }
      to_tell.push_back(info_of(each, now, *calls));
    }
  }
  late_ = std::move(late);
  if (!to_tell.empty()) {
    print_late(to_tell, limit_);
  }
} catch (...) {
  return;  // Without memory it looks again the soonest time.
}

}  // namespace coppice::inline v0::detail
