// How time moves, and who is told when nothing can run.
#include <coppice/detail/standstill.h>

#include "executor/executor_core.h"
#include "executor/executor_state.h"

#include <coppice/detail/suspension.h>
#include <coppice/error.h>
#include <coppice/executor.h>

#include <algorithm>
#include <utility>

namespace coppice::inline v0::detail {

standstill::standstill(executor_core& of, bool autojump, duration patience)
    : core_(of),
      patience_(patience),
      shared_frames_before_(frame_cache::live_shared_frames()),
      workers_(of.workers.size()),
      autojump_(autojump) {
  for (std::size_t i = 0; i != workers_.size(); ++i) {
    workers_[i].frames_before = of.workers[i]->frames.live_frames();
  }
  resting_ = workers_.size();
}

// A worker that was called out of its sleep lies down again before it looks whether it may get up:
// so it is either called by whoever queues a job after that look, or sees the job (P1).
void standstill::rest(worker& here, std::size_t index, bool searching) noexcept {
  for (;; searching = true) {
    static_cast<void>(core_.idle.announce(index, searching));
    time_point sleep_until;
    {
      const std::lock_guard lock(mutex_);
      if (!workers_[index].rests) {
        workers_[index].rests = true;
        ++resting_;
      }
      if (look(here, sleep_until)) {
        workers_[index].rests = false;
        --resting_;
        break;
      }
    }
    core_.idle.wait(index, sleep_until);
  }
  core_.idle.retract(index);
}

// May this worker get up? If not, it sleeps until it is called, or until that time.
bool standstill::look(worker& here, time_point& sleep_until) noexcept {
  sleep_until = time_point::max();
  const bool queued = here.work_in_sight();
  if (core_.stopping() || (queued && resting_ != workers_.size())) {
    return true;
  }
  if (resting_ != workers_.size()) {
    return false;
  }
  if (queued ? released() : move_on(here)) {
    deadlock_at_.reset();
    return true;
  }
  if (!queued && held_by_calls()) {
    sleep_until = calls_hold_until_;
  } else if (queued || (autojump_ && next_timer())) {
    sleep_until = hold();
  } else {
    held_until_.reset();
    sleep_until = watch_for_deadlock();
  }
  return false;
}

// Takes one step after the other, until there is something to run or nothing more to do.
bool standstill::move_on(worker& here) noexcept {
  for (;;) {
    tell_if_met(true);
    const std::optional<time_point> due = next_timer();
    const waiter* const first = first_waiter();
    const time_point next = std::min(due.value_or(time_point::max()),
                                     first != nullptr ? first->until : time_point::max());
    if (next > core_.time.now() && held_by_calls()) {
      return false;
    }
    if (first != nullptr && (!due || first->until < *due)) {
      const time_point until = first->until;
      move_time_to(until);
      if (resume_tasks(here, until)) {
        return true;
      }
      tell_threads(until);
    } else if (due && (first != nullptr || *due <= core_.time.now() || (autojump_ && released()))) {
      move_time_to(*due);
      if (fire_timers(here)) {
        return true;
      }
    } else {
      return false;
    }
  }
}

void standstill::move_time_to(time_point later) noexcept {
  const time_point before = core_.time.now();
  if (later <= before) {
    return;
  }
  core_.time.advance_to(later);
  if (cancel_observer* const told = core_.observer.load(std::memory_order_acquire)) {  // X5
    told->time_moved(before);
  }
}

bool standstill::resume_tasks(worker& here, time_point until) noexcept {
  bool any = false;
  for (waiter* each = waiters_; each != nullptr;) {
    waiter& waiting = *std::exchange(each, each->next);
    if (waiting.wait && waiting.until <= until) {
      unlink(waiting);
      if (waiting.wait.claim() == claim_result::won) {
        here.post(waiting.wait.at->waiter().resumption());
        any = true;
      }
    }
  }
  return any;
}

void standstill::tell_threads(time_point until) noexcept {
  for (waiter* each = waiters_; each != nullptr;) {
    waiter& waiting = *std::exchange(each, each->next);
    if (!waiting.wait && waiting.until <= until) {
      tell(waiting, wait_end::time_up);
    }
  }
}

// From here on the thread counts as busy, so that it finds everything as it was at this moment.
void standstill::tell(waiter& thread, wait_end end) noexcept {
  thread.end = end;
  unlink(thread);
  if (--threads_ == 0) {
    held_until_.reset();
  }
  told_.notify_all();
}

bool standstill::fire_timers(worker& here) noexcept {
  bool any = false;
  for (const auto& each : core_.workers) {
    any = each->fire_timers(here, core_.time.now()) || any;
  }
  return any;
}

// The first whose time will come.
standstill::waiter* standstill::first_waiter() const noexcept {
  waiter* first = nullptr;
  for (waiter* each = waiters_; each != nullptr; each = each->next) {
    if (each->until != time_point::max() && (first == nullptr || each->until < first->until)) {
      first = each;
    }
  }
  return first;
}

void standstill::tell_if_met(bool all_rest) noexcept {
  for (waiter* each = waiters_; each != nullptr;) {
    waiter& waiting = *std::exchange(each, each->next);
    if (waiting.met != nullptr && (all_rest || waiting.at_once) && waiting.met(waiting.condition)) {
      tell(waiting, wait_end::met);
    }
  }
}

// May workers run what was queued at a standstill, and may time move by itself?
bool standstill::released() const noexcept {
  return threads_ != 0 || (held_until_ && clock::now() >= *held_until_);
}

bool standstill::held_by_calls() const noexcept {
  return calls_ != 0 && clock::now() < calls_hold_until_;
}

time_point standstill::hold() noexcept {
  if (!held_until_) {
    held_until_ = clock::now() + patience_;
  }
  return *held_until_;
}

// All stand still for good, unless another thread is about to do something. Of the waiters only
// those are left that would wait for ever.
time_point standstill::watch_for_deadlock() noexcept {
  if (waiters_ == nullptr || !nothing_to_come()) {
    deadlock_at_.reset();
    return time_point::max();
  }
  if (!deadlock_at_) {
    deadlock_at_ = clock::now() + patience_;
  }
  if (clock::now() < *deadlock_at_) {
    return *deadlock_at_;
  }
  deadlock_at_.reset();
  for (waiter* each = waiters_; each != nullptr;) {
    tell(*std::exchange(each, each->next), wait_end::deadlock);
  }
  return time_point::max();
}

// The queues are looked at behind the count, however empty they were before.
bool standstill::nothing_to_come() const noexcept {
  const std::int64_t expected = outside_.load(std::memory_order_acquire);  // ST1
  return expected == 0 && calls_ == 0 && !core_.workers[0]->work_in_sight() && !next_timer();
}

void standstill::link(waiter& waiting) noexcept {
  waiting.next = waiters_;
  waiting.previous = nullptr;
  if (waiters_ != nullptr) {
    waiters_->previous = &waiting;
  }
  waiters_ = &waiting;
  waiting.listed = true;
}

void standstill::unlink(waiter& over) noexcept {
  (over.previous != nullptr ? over.previous->next : waiters_) = over.next;
  if (over.next != nullptr) {
    over.next->previous = over.previous;
  }
  over.listed = false;
}

void standstill::add(waiter& waiting) noexcept {
  const std::lock_guard lock(mutex_);
  link(waiting);
}

void standstill::remove(waiter& over) noexcept {
  const std::lock_guard lock(mutex_);
  if (over.listed) {
    unlink(over);
  }
}

standstill::wait_end standstill::wait_as(waiter& mine) {
  std::unique_lock lock(mutex_);
  if (mine.at_once && mine.met(mine.condition)) {
    return wait_end::met;
  }
  link(mine);
  ++threads_;
  lock.unlock();
  core_.idle.wake_one();  // If all sleep: this one lets them go.
  lock.lock();
  told_.wait(lock, [&mine] { return mine.end.has_value(); });
  return *mine.end;
}

void standstill::wait_until_blocked() {
  waiter mine;
  wait_as(mine);
}

void standstill::advance(duration d) {
  waiter mine;
  mine.until = instant_behind(d);
  wait_as(mine);
}

void standstill::look_at_conditions() noexcept {
  const std::lock_guard lock(mutex_);
  tell_if_met(false);
}

void standstill::call_began() noexcept {
  const std::lock_guard lock(mutex_);
  ++calls_;
  calls_hold_until_ = clock::now() + patience_;
}

void standstill::call_ended() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (--calls_ != 0) {
      return;
    }
  }
  core_.idle.wake_one();  // If all sleep: this one looks again.
}

time_point standstill::now() const noexcept {
  return core_.time.now();
}

time_point standstill::later(duration d) const noexcept {
  return time_after(now(), d);
}

time_point standstill::instant_behind(duration d) const noexcept {
  return std::min(later(d), time_point::max() - duration(1));
}

std::optional<time_point> standstill::next_timer() const noexcept {
  std::optional<time_point> earliest;
  for (const auto& each : core_.workers) {
    const std::optional<time_point> due = each->earliest_open_timer();
    if (due && (!earliest || *due < *earliest)) {
      earliest = due;
    }
  }
  return earliest;
}

std::size_t standstill::pending_timers() const noexcept {
  std::size_t timers = 0;
  for (const auto& each : core_.workers) {
    timers += each->open_timers();
  }
  return timers;
}

std::uint64_t standstill::seed() const noexcept {
  return core_.settings.seed.value_or(0);
}

bool standstill::deadlocked() const noexcept {
  const std::lock_guard lock(mutex_);
  for (const waiter* each = waiters_; each != nullptr; each = each->next) {
    if (each->wait) {
      return false;
    }
  }
  return resting_ == workers_.size() && nothing_to_come() && core_.owner.live_task_count() != 0;
}

// Blocks that wait to go home, go first: they count as live until they are there.
std::size_t standstill::live_frames() const noexcept {
  const std::lock_guard lock(mutex_);
  const auto counts = [this](std::size_t i) {
    return workers_[i].rests || core_.workers[i].get() == this_worker();
  };
  for (std::size_t i = 0; i != workers_.size(); ++i) {
    if (counts(i)) {
      core_.workers[i]->frames.flush();
    }
  }
  std::size_t frames = frame_cache::live_shared_frames();
  std::size_t before = shared_frames_before_;
  for (std::size_t i = 0; i != workers_.size(); ++i) {
    if (counts(i)) {
      frames += core_.workers[i]->frames.live_frames();
      before += workers_[i].frames_before;
    }
  }
  return frames - std::min(frames, before);
}

bool standstill::alone() const noexcept {
  return executor_link::open_links() == 1;
}

void standstill::let_time_go() noexcept {
  const std::lock_guard lock(mutex_);
  autojump_ = true;
}

std::string standstill::describe() const {
  return kit_ != nullptr ? kit_->describe() : std::string();
}

standstill* standstill_of(const executor& of) noexcept {
  return of.state().core->still.get();
}

standstill& current_standstill(const char* call) {
  standstill* const still = standstill_of(current_executor(call));
  if (still == nullptr) {
    throw usage_error(std::string(call) +
                      " where time is not virtual: it is for tasks of a test_runtime");
  }
  return *still;
}

void standstill_source::arm(const ticket& wait, worker_core&) noexcept {
  waiter_.wait = wait;
  of_.add(waiter_);
}

}  // namespace coppice::inline v0::detail
