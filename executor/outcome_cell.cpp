// A spawned task's life: queued, started, ended, told to whoever waits.
#include <coppice/detail/outcome_cell.h>

#include "executor/executor_core.h"
#include "executor/executor_state.h"
#include "executor/task_annex.h"

#include <coppice/report.h>
#include <coppice/spawn.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

// Ids are handed out in blocks to each thread, so that spawning shares no counter.
task_id next_task_id() noexcept {
  constexpr std::uint64_t block = 1024;
  static atomic<std::uint64_t> blocks{0};
  thread_local std::uint64_t next = 0;
  if (next % block == 0) {
    next = blocks.fetch_add(1, std::memory_order_relaxed) * block;
  }
  return task_id{++next};
}

frame_cache::cell_place frame_place_of(void* cell, std::size_t bytes) noexcept {
  const worker_core* const here = this_worker();
  return frame_cache::cells_of(cell, bytes, here != nullptr ? &here->frames : nullptr);
}

// Without memory for it, what says so.
std::exception_ptr timed_out(duration limit) noexcept {
  try {
    return std::make_exception_ptr(timeout_error(limit));
  } catch (...) {
    return std::current_exception();
  }
}

task_id id_of(const outcome_cell* task) noexcept {
  return task != nullptr ? task->id() : task_id::none;
}

void count_one(const frame_cache::cell_place& place, std::int64_t by) noexcept {
  place.count->change(place.own, by);
}

}  // namespace

namespace {

// The chain that a spawned task sees: without the values at its head that are not for it.
binding_ref bindings_for_spawned() noexcept {
  const worker_core* const here = this_worker();
  const binding* chain = nullptr;
  for (cancel_node* each = here != nullptr ? here->scope : nullptr; each != nullptr;
       each = each->parent()) {
    if (const binding_ref* const bound = each->bindings()) {
      chain = bound->get();
      break;
    }
  }
  while (chain != nullptr && !chain->inherited()) {
    chain = chain->outer();
  }
  return binding_ref::share(chain);
}

}  // namespace

outcome_cell::outcome_cell(task_keeper& keeper, const spawn_options& options)
    : node_(*this, keeper.node()),
      keeper_(keeper),
      home_(keeper.home().ref()),
      annex_(first_annex(options, keeper.home().settings.debug)),
      bindings_(bindings_for_spawned()),
      id_(next_task_id()),
      parent_(id_of(keeper.node()->task())),
      spawned_at_(keeper.home().time.now()),
      site_(options.site),
      guaranteed_(options.start == start_mode::guaranteed),
      keeps_keeper_(keeper.add_reference()) {
  run = &outcome_cell::start_job;
}

outcome_cell::~outcome_cell() {
  delete extra();
  if (!keeps_keeper_) {
    return;
  }
  worker_core* const here = this_worker();
  if (here != nullptr && here->ledger.open()) {
    here->ledger.drop(keeper_, *here);
  } else {
    keeper_.drop(1);
  }
}

// A cell lies where frames lie, but is counted.
void* outcome_cell::operator new(std::size_t bytes) {
  void* const cell = promise_base::operator new(bytes);
  count_one(frame_place_of(cell, bytes), 1);
  return cell;
}

void outcome_cell::operator delete(void* cell, std::size_t bytes) noexcept {
  const frame_cache::cell_place place = frame_place_of(cell, bytes);
  promise_base::operator delete(cell, bytes);
  count_one(place, -1);
}

void outcome_cell::destroy() noexcept {
  delete this;
}

task_status outcome_cell::status() const noexcept {
  const task_status status = status_.load(std::memory_order_acquire);  // C2
  return status == task_status::running && node_.waiting_for() != nullptr ? task_status::suspended
                                                                          : status;
}

void outcome_cell::cancel(const cancel_reason& reason) noexcept {
  if (done()) {
    return;
  }
  const executor_pin home(home_);
  if (home.get() != nullptr) {
    node_.cancel(reason, *home.get());
  }
}

void outcome_cell::cancel_overriding(const cancel_reason& reason) noexcept {
  const executor_pin home(home_);
  if (home.get() != nullptr && !done()) {
    node_.cancel_overriding(reason, *home.get());
  }
}

void outcome_cell::launch(bool immediate) noexcept {
  executor_core& home = keeper_.home();
  worker_core* const here = this_worker();
  if (here == nullptr || &here->home != &home) {
    home.submit(*this);
    return;
  }
  if (immediate) {
    cancel_node* const scope = std::exchange(here->scope, nullptr);
    start_job(*this, *here);
    here->settle();
    here->scope = scope;
    return;
  }
  // In thieves' sight at once: its maker may go on for long, or wait for it without giving way.
  here->push(*this);
  if (here->forks.publish()) {
    here->published();
  }
}

// The body of a task that was cancelled before it began never runs.
void outcome_cell::start_job(job& self, worker_core& here) noexcept {
  auto& task = static_cast<outcome_cell&>(self);
  here.scope = &task.node_;
  if (!task.guaranteed_ && task.node_.cancelled_at(here.now())) {
    task.stopped(here);
    return;
  }
  task.status_.store(task_status::running, std::memory_order_relaxed);
  task.result().reset();
  promise_base* started = nullptr;
  try {
    if (time_limit* const limit = task.limit()) {
      limit->set(limit->due(), here);
    }
    started = task.begin();
  } catch (...) {
    task.result().fail(std::current_exception());
  }
  if (started != nullptr) {
    started->handle().resume();
  } else {
    task.completed(here).resume();
  }
}

void outcome_cell::refuse() noexcept {
  const cancel_reason reason = node_.reason();
  node_.refuse(reason);
  settle_cancelled(reason);
  discard_start();
  status_.store(task_status::cancelled, std::memory_order_release);  // C2
}

std::coroutine_handle<> outcome_cell::completed(worker_core& here) noexcept {
  task_status end = task_status::failed;
  if (!result().failed()) {
    try {
      settle_value();
      end = task_status::completed;
    } catch (...) {
      result().fail(std::current_exception());
    }
  }
  if (end == task_status::failed) {
    settle_failure(entry_for(result().take_failure()));
  }
  discard_start();
  finish(end, here);
  return nothing_next();
}

std::coroutine_handle<> outcome_cell::stopped(worker_core& here) noexcept {
  task_status end = task_status::cancelled;
  const time_limit* const mine = limit();
  if (mine != nullptr && mine->passed()) {
    end = task_status::failed;
    settle_failure(entry_for(timed_out(mine->limit())));
  } else {
    settle_cancelled(node_.reason());
  }
  discard_start();
  finish(end, here);
  return nothing_next();
}

void outcome_cell::finish(task_status end, worker_core& here) noexcept {
  if (time_limit* const mine = limit()) {
    mine->clear(here);
  }
  status_.store(end, std::memory_order_seq_cst);  // C2 C3 N2
  const bool taken = awaited_.load(std::memory_order_seq_cst) && tell_those_waiting(here);  // C3
  node_.close(here);
  keeper_.ended(*this, taken);
  drop();
}

// Under the lock, as a waiter that is stopped meanwhile takes its node out. True if one of them sees to a failure.
bool outcome_cell::tell_those_waiting(worker_core& here) noexcept {
  bool taken = false;
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(mutex());
    if (annex* const mine = extra()) {
      calls.swap(mine->done_calls);
    }
    while (end_waiter* const each = waiters_) {
      waiters_ = each->next;
      each->listed = false;
      const ticket wait = each->wait;
      const claim_result claimed = wait.claim();
      each->told = claimed != claim_result::lost;
      taken = taken || (each->told && each->takes);
      if (claimed == claim_result::won) {
        suspension& woken = wait.at->waiter();
        if (was_cancelled()) {
          // By a request that may be on its way to the waiter: then it stops, before it sees this.
          promise_base& waiting = static_cast<promise_base&>(woken.resumption()).as_yielded_job();
          if (&woken.home() == &here.home) {
            here.cancelled_anew(*waiting.scope());
          } else {
            woken.home().bump_epoch();
          }
        }
        woken.resume();  // Its owner may be gone now.
      }
    }
  }
  for (const std::function<void()>& call : calls) {
    run_done_call(call);
  }
  return taken;
}

// Under the lock. From here on the task tells of its end; true if that has been.
bool outcome_cell::ended_before_awaited() noexcept {
  awaited_.store(true, std::memory_order_seq_cst);         // C3
  return is_end(status_.load(std::memory_order_seq_cst));  // C3
}

bool outcome_cell::add_waiter(end_waiter& waiter) noexcept {
  const std::lock_guard lock(mutex());
  if (ended_before_awaited()) {
    return false;
  }
  waiter.next = waiters_;
  waiter.previous = nullptr;
  if (waiters_ != nullptr) {
    waiters_->previous = &waiter;
  }
  waiters_ = &waiter;
  waiter.listed = true;
  return true;
}

void outcome_cell::remove_waiter(end_waiter& waiter) noexcept {
  const std::lock_guard lock(mutex());
  if (!waiter.listed) {
    return;
  }
  (waiter.previous != nullptr ? waiter.previous->next : waiters_) = waiter.next;
  if (waiter.next != nullptr) {
    waiter.next->previous = waiter.previous;
  }
  waiter.listed = false;
}

// One that comes too late to be called by finish() is posted as a job of its own.
class outcome_cell::late_call final : job {
 public:
  late_call(outcome_cell& task, std::function<void()> function)
      : task_(&task), function_(std::move(function)) {
    task.add_reference();
    run = &late_call::call;
  }

  static void post(outcome_cell& task, std::function<void()> function) {
    auto call = std::make_unique<late_call>(task, std::move(function));
    const executor_pin home(task.home_);
    if (home.get() == nullptr) {
      throw usage_error(
          "on_done of a task whose runtime has ended: nobody is left to run the callback");
    }
    home.get()->post(*call.release());
  }

 private:
  // The task's keeper may be gone.
  static void call(job& self, worker_core& here) noexcept {
    const std::unique_ptr<late_call> mine(static_cast<late_call*>(&self));
    outcome_cell& task = *mine->task_.get();
    here.scope = &task.node_;
    try {
      mine->function_();
    } catch (...) {
      report_from(nullptr, here, error_origin::handler, task.entry_for(std::current_exception()));
    }
    here.scope = nullptr;
  }

  cell_ref task_;
  std::function<void()> function_;
};

void outcome_cell::on_done(std::function<void()> function) {
  if (!function) {
    throw usage_error("on_done of an empty function");
  }
  {
    const std::lock_guard lock(mutex());
    if (!ended_before_awaited()) {
      make_annex().done_calls.push_back(std::move(function));
      return;
    }
  }
  late_call::post(*this, std::move(function));
}

void outcome_cell::run_done_call(const std::function<void()>& call) noexcept {
  try {
    call();
  } catch (...) {
    report_from(&node_, *this_worker(), error_origin::handler, entry_for(std::current_exception()));
  }
}

}  // namespace coppice::inline v0::detail
