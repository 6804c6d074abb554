// What others ask of an overseer, and what it answers.
#include "supervision/overseer.h"

#include <coppice/detail/supervisor_core.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/shield.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <set>
#include <string>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

std::string text_of(const char* call, std::string_view id) {
  return std::string(call) + "(\"" + std::string(id) + "\")";
}

[[noreturn]] void throw_ending(const supervisor_core& of) {
  throw scope_closed("supervisor \"" + std::string(of.name()) +
                     "\" is being shut down: it neither starts children nor stops them by name");
}

void check_backoff(const std::string& what, const backoff_policy& policy) {
  if (policy.initial < duration::zero() || policy.max < duration::zero() ||
      policy.reset_after < duration::zero()) {
    throw usage_error(what + ": its backoff has a duration below zero");
  }
  if (!(policy.factor >= 1) || !std::isfinite(policy.factor)) {
    throw usage_error(what + ": the factor of its backoff is not 1 or more");
  }
  if (!(policy.jitter >= 0 && policy.jitter <= 1)) {
    throw usage_error(what + ": the jitter of its backoff is not from 0 to 1");
  }
}

}  // namespace

// ---- The caller's side --------------------------------------------------------------------------

task<child_info> overseer::ask([[maybe_unused]] core_ref kept,
                               std::shared_ptr<overseer_call> asked) {
  co_await stop_point();
  enqueue(asked);
  // An answer that nobody has read any more is not to be lost if it is a failure.
  const struct reading {
    overseer& of;
    overseer_call& asked;
    ~reading() { of.abandon(asked); }
  } until_read{*this, *asked};
  co_await asked->answered.wait("its supervisor");
  if (std::exception_ptr error = std::exchange(asked->error, nullptr)) {
    std::rethrow_exception(std::move(error));
  }
  co_return std::move(asked->given);
}

// Counted in, the overseer's run keeps the supervisor open.
void overseer::enqueue(const std::shared_ptr<overseer_call>& asked) {
  if (core_.cancelled() || core_.shutting_down() || !core_.enter_open()) {
    throw_ending(core_);
  }
  run* begun = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (run_ == nullptr) {
      try {
        begun = new run(*this);
      } catch (...) {
        core_.leave();
        throw;
      }
      run_ = begun;
      core_.oversight_begins();
    }
    asked->itself = asked;
    messages_.push(*asked);
  }
  if (begun != nullptr) {
    executor_pin(core_.home()).post(*begun);
  } else {
    wake();
    core_.leave();
  }
}

void overseer::abandon(overseer_call& asked) noexcept {
  error_entry unread;
  {
    const std::lock_guard lock(mutex_);
    asked.abandoned = true;
    if (std::exchange(asked.error, nullptr) != nullptr) {
      unread = std::exchange(asked.failure, {});
    }
  }
  report_unread(unread);
}

// ---- The overseer's side ------------------------------------------------------------------------

task<> overseer::answer(overseer_call& asked) {
  try {
    switch (asked.wanted) {
      case overseer_call::kind::start:
        co_await start_new(asked);
        break;
      case overseer_call::kind::terminate:
        co_await terminate(asked);
        break;
      case overseer_call::kind::restart:
        co_await start_stopped(asked);
        break;
      case overseer_call::kind::forget:
        drop(stopped(asked.id, "delete_child"));
        break;
    }
  } catch (...) {
    asked.error = std::current_exception();
    if (asked.half_done) {
      core_.give_up(asked.error);
    }
  }
}

void overseer::finish(overseer_call& asked) noexcept {
  error_entry unread;
  std::shared_ptr<overseer_call> kept;
  {
    const std::lock_guard lock(mutex_);
    kept.swap(asked.itself);
    if (asked.abandoned) {
      unread = std::exchange(asked.failure, {});
    }
  }
  report_unread(unread);
  asked.answered.set();
}

// That of a child, which nobody else has been told of. A fatal one has been seen to.
void overseer::report_unread(const error_entry& failure) noexcept {
  if (failure.error() != nullptr && !is_fatal(failure.error())) {
    report_from(&core_.node(), *this_worker(), error_origin::child, failure);
  }
}

// And none will be answered any more.
void overseer::refuse_calls() noexcept {
  for (;;) {
    overseer_call* asked = nullptr;
    {
      const std::lock_guard lock(mutex_);
      message* const next = messages_.pop();
      if (next == nullptr) {
        run_ = nullptr;
        return;
      }
      if (next->what() != message::about::call) {
        continue;
      }
      asked = static_cast<overseer_call*>(next);
    }
    try {
      throw_ending(core_);
    } catch (...) {
      asked->error = std::current_exception();
    }
    finish(*asked);
  }
}

// All of them, or none.
task<> overseer::start_new(overseer_call& asked) {
  check(asked.specs);
  std::vector<child_ref> added;
  added.reserve(asked.specs.size());
  for (child_spec& each : asked.specs) {
    added.push_back(add(each));
    std::exception_ptr error;
    try {
      error = co_await start_for(asked, added.back());
    } catch (const std::bad_alloc&) {
      error = std::current_exception();
    }
    if (error != nullptr) {
      std::reverse(added.begin(), added.end());
      for (const child_ref& started : added) {
        co_await stop(started, cancel_reason(cancel_kind::sibling_failed, {}, core_.site()));
        drop(*started);
      }
      asked.half_done = false;
      std::rethrow_exception(error);
    }
    if (!added.back()->running() && added.back()->terms.restart == restart_type::temporary) {
      drop(*added.back());
      added.pop_back();
    }
  }
  asked.half_done = false;
}

// Returns what the start has failed with, null if it has not. Where it throws std::bad_alloc the child may run, and nobody
// has heard of its start. What the answer needs of memory is asked for before.
task<std::exception_ptr> overseer::start_for(overseer_call& asked, child_ref child) {
  asked.given = {};
  asked.given.id = child->terms.id;
  asked.half_done = true;
  const start_result result = co_await start(child);
  if (result == start_result::given_up) {
    asked.half_done = false;
    throw_ending(core_);
  }
  if (result == start_result::refused) {
    co_return child->last_end.cause();
  }
  if (result == start_result::failed) {
    asked.failure = child->last_end.failure;
    co_return std::make_exception_ptr(start_error(child->terms.id, child->last_end.cause()));
  }
  const std::lock_guard lock(mutex_);
  tell(asked.given, *child);
  co_return nullptr;
}

task<> overseer::terminate(overseer_call& asked) {
  const child_ref child = child_ref::share(find(asked.id, "terminate_child"));
  forget_next_start(*child);
  set_restarting(*child, false);
  co_await stop(child, cancel_reason(cancel_kind::shutdown, "terminate_child", core_.site()));
  if (child->terms.restart == restart_type::temporary) {
    drop(*child);
  }
}

task<> overseer::start_stopped(overseer_call& asked) {
  const child_ref child = child_ref::share(stopped(asked.id, "restart_child"));
  std::exception_ptr error;
  try {
    error = co_await start_for(asked, child);
  } catch (const std::bad_alloc&) {
    error = std::current_exception();
  }
  if (error != nullptr) {
    co_await stop(child, cancel_reason(cancel_kind::sibling_failed, {}, core_.site()));
  }
  asked.half_done = false;
  if (error != nullptr) {
    std::rethrow_exception(error);
  }
}

// ---- The list -----------------------------------------------------------------------------------

// Before anything starts.
void overseer::check(const std::vector<child_spec>& specs) const {
  std::set<std::string_view> ids;
  for (const child_spec& each : specs) {
    const child_terms& terms = spec_access::terms(each);
    const std::string what = "child \"" + terms.id + '"';
    if (terms.id.empty()) {
      throw usage_error("a child's id is empty: it is what the child is called by");
    }
    if (!ids.insert(terms.id).second || by_id_.contains(terms.id)) {
      throw usage_error(what + ": the supervisor has one of that id already");
    }
    if (terms.gated_start == nullptr && terms.start == nullptr) {
      throw usage_error(what + ": there is nothing to start it by");
    }
    if (terms.grace() < duration::zero()) {
      throw usage_error(what + ": its shutdown time is below zero; 0 is brutal");
    }
    if (terms.significant && terms.restart == restart_type::permanent) {
      throw usage_error(what +
                        ": a permanent child never ends for good, and cannot be significant");
    }
    if (terms.significant && rules_.auto_shutdown == shutdown_trigger::never) {
      throw usage_error(what + ": significant, in a supervisor whose auto_shutdown is never");
    }
    check_backoff(what, terms.backoff);
  }
}

child_ref overseer::add(child_spec& spec) {
  const child_ref child(new specified_child(*this, core_, std::move(spec_access::terms(spec))));
  const std::lock_guard lock(mutex_);
  child->place = children_.insert(children_.end(), child);
  try {
    by_id_.emplace(child->terms.id, child->place);
  } catch (...) {
    children_.erase(child->place);
    throw;
  }
  return child;
}

specified_child& overseer::find(std::string_view id, const char* call) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) {
    throw usage_error(text_of(call, id) + ": there is no child of that id");
  }
  return **found->second;
}

specified_child& overseer::stopped(std::string_view id, const char* call) const {
  specified_child& child = find(id, call);
  if (child.running()) {
    throw usage_error(text_of(call, id) + ": it runs; terminate_child() stops it");
  }
  if (child.restarting) {
    throw usage_error(text_of(call, id) +
                      ": it waits for its restart; terminate_child() gives that up");
  }
  return child;
}

}  // namespace coppice::inline v0::detail
