// What others ask of an overseer, and what it answers.
#include "supervision/overseer.h"

#include <coppice/detail/supervisor_core.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/shield.h>

#include <algorithm>
#include <cmath>
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
  std::exception_ptr unread;
  {
    const std::lock_guard lock(mutex_);
    asked.abandoned = true;
    unread.swap(asked.error);
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
  }
}

void overseer::finish(overseer_call& asked) noexcept {
  std::exception_ptr unread;
  std::shared_ptr<overseer_call> kept;
  {
    const std::lock_guard lock(mutex_);
    kept.swap(asked.itself);
    if (asked.abandoned) {
      unread.swap(asked.error);
    }
  }
  report_unread(unread);
  asked.answered.set();
}

// That of a child, which nobody else has been told of.
void overseer::report_unread(const std::exception_ptr& error) noexcept {
  if (const auto* const failed = thrown_as<start_error>(error)) {
    if (failed->cause() != nullptr && thrown_as<task_cancelled>(failed->cause()) == nullptr &&
        !is_fatal(failed->cause())) {
      report_from(&core_.node(), *this_worker(), error_origin::child, error_entry(failed->cause()));
    }
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
  std::exception_ptr error;
  for (child_spec& each : asked.specs) {
    const child_ref child = add(each);
    added.push_back(child);
    const start_result result = co_await start(child);
    if (result == start_result::given_up) {
      throw_ending(core_);
    }
    error = start_failure(result, *child);
    if (error != nullptr) {
      break;
    }
    asked.given = locked_info_of(*child);
    if (result == start_result::ignored && child->terms.restart == restart_type::temporary) {
      drop(*child);
    }
  }
  if (error != nullptr) {
    std::reverse(added.begin(), added.end());
    for (const child_ref& each : added) {
      co_await stop(each, cancel_reason(cancel_kind::sibling_failed, {}, core_.site()));
      drop(*each);
    }
    std::rethrow_exception(error);
  }
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
  const start_result result = co_await start(child);
  if (result == start_result::given_up) {
    throw_ending(core_);
  }
  if (const std::exception_ptr error = start_failure(result, *child)) {
    std::rethrow_exception(error);
  }
  asked.given = locked_info_of(*child);
}

// Null if it has not failed.
std::exception_ptr overseer::start_failure(start_result result,
                                           const specified_child& child) const {
  if (result == start_result::refused) {
    return child.last_end.cause();
  }
  return result == start_result::failed
             ? std::make_exception_ptr(start_error(child.terms.id, child.last_end.cause()))
             : nullptr;
}

child_info overseer::locked_info_of(const specified_child& child) const {
  const std::lock_guard lock(mutex_);
  return info_of(child);
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
