// The overseer's coroutine: what it waits for, and in which order it deals with it.
#include "supervision/overseer.h"

#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/supervisor_core.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/shield.h>
#include <coppice/sleep.h>

#include <new>
#include <utility>

namespace coppice::inline v0::detail {

// Wakes the overseer at a time. Once.
class overseer::time_out final : public alarm {
 public:
  explicit time_out(overseer& of) noexcept : of_(of) {}

  void drop() noexcept {
    if (references_.drop()) {
      delete this;
    }
  }

 private:
  void ring(worker_core& /*here*/) noexcept override { of_.wake(); }
  void keep() noexcept override {
    references_.add();
    of_.core_.add_reference();
  }
  void let_go() noexcept override {
    supervisor_core& core = of_.core_;
    drop();
    core.drop();
  }

  ~time_out() = default;

  overseer& of_;
  reference_count references_;
};

overseer::overseer(supervisor_core& of)
    : core_(of),
      rules_(of.rules()),
      children_node_(of.node()),
      window_(rules_.max_restarts, rules_.period) {}

overseer::~overseer() = default;

// ---- One run ------------------------------------------------------------------------------------

overseer::run::run(overseer& of) : of_(of), node_(of.core_.node()), main_(of.oversee()) {
  result_.reset();
  job::run = [](job& self, worker_core& here) noexcept {
    auto& begun = static_cast<class run&>(self);
    promise_base& main = task_access::release(begun.main_);
    main.continue_with(begun, &begun.node_, begun.result_.place_of_value());
    here.scope = &begun.node_;
    main.handle().resume();
  };
}

std::coroutine_handle<> overseer::run::completed(worker_core& here) noexcept {
  std::exception_ptr error = result_.failed() ? result_.take_failure() : nullptr;
  overseer& of = of_;
  node_.close(here);
  here.scope = nullptr;
  delete this;
  of.over(std::move(error), here);
  return nothing_next();
}

// Nothing stops it: its waits are looked at, and its node keeps out the rest.
std::coroutine_handle<> overseer::run::stopped(worker_core& here) noexcept {
  return completed(here);
}

// A failure of its own is that there was no memory: then everybody is stopped at once, and that is why.
void overseer::over(std::exception_ptr error, worker_core& here) noexcept {
  if (error != nullptr) {
    core_.give_up(std::move(error));
    const cancel_reason why = core_.reason();
    for (const child_ref& each : children_) {
      if (each->running()) {
        each->cell().cancel(why);
      }
    }
    refuse_calls();
  }
  core_.oversight_has_ended(here);
  core_.leave();
}

task<> overseer::oversee() {
  for (;;) {
    see_stop();
    if (stopping_) {
      co_await stop_all();
      co_return;
    }
    if (!draining_ && core_.shutting_down()) {
      draining_ = true;
      forget_next_starts();
    }
    if (!due_.empty() && due_.begin()->first <= now()) {
      const child_ref child = child_ref::share(*due_.begin()->second);
      forget_next_start(*child);
      co_await start_again(child);
      continue;
    }
    message* const next = next_message();
    if (next != nullptr) {
      try {
        co_await take(*next);
      } catch (...) {
        put_back(*next);
        throw;
      }
    } else if (retire()) {
      co_return;
    } else {
      co_await news_until(due_.empty() ? time_point::max() : due_.begin()->first);
    }
  }
}

task<> overseer::take(message& next) {
  if (next.what() == message::about::call) {
    auto& asked = static_cast<overseer_call&>(next);
    co_await answer(asked);
    finish(asked);
    co_return;
  }
  const child_ref child = child_ref::share(*next.child());
  if (next.what() == message::about::end) {
    co_await take_end(child);
  } else {
    co_await restart(child);
  }
}

message* overseer::next_message() noexcept {
  const std::lock_guard lock(mutex_);
  return messages_.pop();
}

// A call for whose answer there was no memory, that it may be refused.
void overseer::put_back(message& unanswered) noexcept {
  if (unanswered.what() == message::about::call) {
    const std::lock_guard lock(mutex_);
    messages_.push(unanswered);
  }
}

// Nothing is left to look after, unless somebody calls again.
bool overseer::retire() noexcept {
  const std::lock_guard lock(mutex_);
  if (!messages_.empty() || running_ != 0 || !due_.empty()) {
    return false;
  }
  run_ = nullptr;
  return true;
}

// Behind it what happened before is to be looked at again. Without memory for an alarm the time never comes.
task<> overseer::news_until(time_point due) {
  struct one_alarm {
    time_out* alarm = nullptr;
    ~one_alarm() {
      if (alarm != nullptr) {
        static_cast<void>(alarm->clear(*this_worker()));
        alarm->drop();
      }
    }
  };
  {
    one_alarm at_due;
    if (due != time_point::max()) {
      at_due.alarm = new (std::nothrow) time_out(*this);
    }
    if (at_due.alarm != nullptr) {
      set(*at_due.alarm, due);
    }
    auto news = news_.wait("news of its children");
    static_cast<void>(co_await as_result(std::move(news)));
  }
  news_.clear();
  see_stop();
}

void overseer::set(time_out& alarm, time_point due) noexcept try {
  alarm.set(due, *this_worker());
} catch (const std::bad_alloc&) {
  return;
}

// A request to stop is heard of once; the epoch moves, so that nobody who has looked before has the last word.
void overseer::see_stop() noexcept {
  if (!stopping_ && cancel_requested()) {
    stopping_ = true;
    run_->node().keep_out();
    executor_pin(core_.home()).bump_epoch();
  }
}

bool overseer::going() const noexcept {
  return !stopping_ && !core_.shutting_down();
}

// In reverse order of their start, one at a time; all at once when there is no time for that.
task<> overseer::stop_all() {
  forget_next_starts();
  const cancel_reason why = core_.reason();
  // NOLINTNEXTLINE(modernize-loop-convert): others may leave the list while one is awaited.
  for (auto each = children_.rbegin(); each != children_.rend(); ++each) {
    co_await stop(*each, why);
  }
  refuse_calls();
}

void overseer::hurry() noexcept {
  {
    const std::lock_guard lock(mutex_);
    hurried_ = true;
  }
  wake();
}

bool overseer::hurried() const noexcept {
  const std::lock_guard lock(mutex_);
  return hurried_;
}

// ---- What it is told ----------------------------------------------------------------------------

overseer::stand overseer::stand_of(const specified_child& child,
                                   const outcome_cell& task) const noexcept {
  const std::lock_guard lock(mutex_);
  if (!child.running() || &child.cell() != &task) {
    return stand::left_behind;
  }
  return child.starting != nullptr && !child.starting->has_started() ? stand::starting
                                                                     : stand::running;
}

void overseer::child_ended(specified_child& child, const outcome_cell& task) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!child.running() || &child.cell() != &task) {
      return;
    }
    child.has_ended = true;
    child.ended_at = now();
    messages_.push(child.end);
  }
  wake();
}

bool overseer::ended(const specified_child& child) const noexcept {
  const std::lock_guard lock(mutex_);
  return child.has_ended;
}

void overseer::list_into(std::vector<child_info>& infos) const {
  const std::lock_guard lock(mutex_);
  for (const child_ref& each : children_) {
    child_info& info = infos.emplace_back();
    info.id = each->terms.id;
    tell(info, *each);
  }
}

// All but the id, which needs memory. Under the lock.
void overseer::tell(child_info& info, const specified_child& child) noexcept {
  if (child.running() && !child.cell().done()) {
    info.task = child.current;
  }
  info.type = child.terms.type;
  info.restarting = child.restarting;
  info.restarts = child.restarts();
}

child_counts overseer::count() const noexcept {
  const std::lock_guard lock(mutex_);
  child_counts counts;
  for (const child_ref& each : children_) {
    ++counts.specs;
    counts.active += each->running() && !each->cell().done() ? 1 : 0;
    ++(each->terms.type == child_type::supervisor ? counts.supervisors : counts.workers);
  }
  return counts;
}

restart_handler overseer::on_restart(restart_handler handler) {
  auto fresh = handler ? std::make_shared<const restart_handler>(std::move(handler)) : nullptr;
  const std::lock_guard lock(mutex_);
  fresh.swap(restart_handler_);
  return fresh ? *fresh : restart_handler();
}

// What the specs keep may hold the supervisor. A child whose end nobody has taken, for want of memory, still holds its task,
// which holds the child.
void overseer::close(worker_core& here) noexcept {
  children_node_.close(&here);
  child_list children;
  std::shared_ptr<const restart_handler> handler;
  {
    const std::lock_guard lock(mutex_);
    by_id_.clear();
    children.swap(children_);
    handler.swap(restart_handler_);
  }
  for (const child_ref& each : children) {
    each->current = {};
  }
}

}  // namespace coppice::inline v0::detail
