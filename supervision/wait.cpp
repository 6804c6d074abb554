// Waiting for several tasks, whatever becomes of them.
#include <coppice/wait.h>

#include <coppice/detail/climb.h>
#include <coppice/detail/fork_join.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/scope.h>
#include <coppice/time.h>

#include <algorithm>
#include <exception>

namespace coppice::inline v0::detail {

namespace {

// Waits for an end, and says whether the task's failure is the waiter's now, which `takes` says it wants.
class end_to_see : public end_source {
 public:
  using value_type = bool;

  using end_source::end_source;

  bool result() const noexcept { return waiter_.told && waiter_.takes; }
};

task<bool> await_one(task_ref of, bool takes) {
  co_return co_await wait_operation<end_to_see>(end_to_see(std::move(of), takes));
}

outcome_cell& cell_of(const task_ref& of) {
  return handle_access::cell(of, "wait");
}

// Besides what users may wait for: a task that has failed or was cancelled.
constexpr when when_any_fails{~0};

bool enough(const task_ref& ended, when until) {
  return until == when::first_completed ||
         (until == when::first_failed && ended.status() == task_status::failed) ||
         (until == when_any_fails && ended.status() != task_status::completed);
}

task<> await_in_scope(const task_ref& of, when until, const scope_handle& scope, char* taken) {
  const bool mine = co_await await_one(of, taken != nullptr);
  if (mine) {
    *taken = 1;
  }
  if (enough(of, until)) {
    scope.cancel(reason_access::none());
  }
}

task<> await_all(const std::vector<task_ref>& tasks) {
  for (const task_ref& each : tasks) {
    co_await await_one(each, false);
  }
}

// `taken`: for each task, whether its failure has become the caller's; null if none shall.
task<> await_some(const std::vector<task_ref>& tasks, when until, duration timeout,
                  std::vector<char>* taken) {
  for (const task_ref& each : tasks) {
    static_cast<void>(cell_of(each));  // usage_error for an empty one.
  }
  co_await stop_point();
  if (std::any_of(tasks.begin(), tasks.end(),
                  [until](const task_ref& each) { return each.done() && enough(each, until); })) {
    co_return;
  }
  const auto body = [&](cancel_scope& scope) -> task<> {
    const scope_handle mine = scope.handle();
    const auto child = [&](std::size_t i) {
      return await_in_scope(tasks[i], until, mine, taken != nullptr ? &(*taken)[i] : nullptr);
    };
    co_await fork_join_n(tasks.size(), child);
  };
  if (timeout == forever) {
    co_await with_scope({.site = {}}, body);
  } else {
    co_await with_scope({.timeout = timeout, .site = {}}, body);
  }
}

// Is it the calling task, or one that cannot end before that has?
bool hosts_caller(const task_ref& of) {
  const outcome_cell& cell = cell_of(of);
  const climb upwards;
  for (cancel_node* each = this_worker()->scope; each != nullptr; each = each->parent()) {
    if (each->is_task() && each->task() == &cell) {
      return true;
    }
  }
  return false;
}

}  // namespace

task<> wait_until(std::vector<task_ref> tasks, when until, duration timeout) {
  co_await await_some(tasks, until, timeout, nullptr);
}

task<> wait_or_cancel(std::vector<task_ref> tasks, duration timeout) {
  const auto failed = [](const task_ref& each) {
    return each.done() && each.status() != task_status::completed;
  };
  const time_point due = time_in(timeout);
  bool timed_out = false;
  std::vector<char> taken(tasks.size(), 0);
  const task_ref* first = nullptr;
  const auto waiting = [&]() -> task<> {
    co_await await_some(tasks, when_any_fails, timeout == forever ? forever : due - now(), &taken);
    const auto ended = std::find_if(tasks.begin(), tasks.end(), failed);
    if (ended != tasks.end()) {
      first = &*ended;
    } else {
      timed_out = !std::all_of(tasks.begin(), tasks.end(),
                               [](const task_ref& each) { return each.done(); });
    }
  };
  const outcome<> waited = co_await as_result(waiting());
  if (waited.failed()) {
    std::rethrow_exception(waited.error());
  }
  const cancel_kind why = waited.cancelled() ? cancel_kind::parent_cancelled
                          : timed_out        ? cancel_kind::deadline
                                             : cancel_kind::sibling_failed;
  if (waited.cancelled() || timed_out || first != nullptr) {
    for (const task_ref& each : tasks) {
      each.cancel(cancel_reason(why));
    }
    co_await shield(await_all(tasks));
  }
  const task_ref* thrown = first;
  for (const task_ref& each : tasks) {
    const bool is_failure = each.status() == task_status::failed;
    if (is_failure && (thrown == nullptr || thrown->status() != task_status::failed)) {
      thrown = &each;
    }
  }
  if (thrown != nullptr && thrown->status() == task_status::failed) {
    std::vector<error_entry> later;
    for (const task_ref& each : tasks) {
      if (!(each == *thrown) && each.status() == task_status::failed) {
        later.push_back(cell_of(each).failure());
        if (taken[static_cast<std::size_t>(&each - tasks.data())] != 0) {
          worker_core& here = *this_worker();
          report_from(here.scope, here, error_origin::suppressed, cell_of(each).failure());
        }
      }
    }
    const std::exception_ptr error = cell_of(*thrown).failure().error();
    if (!later.empty()) {
      this_worker()->scope->task()->remember(
          make_entry(error, task_id::none, {}, {}, std::nullopt, std::move(later), {}));
    }
    std::rethrow_exception(error);
  }
  if (waited.cancelled()) {
    co_await stop();
  }
  if (timed_out) {
    throw timeout_error(std::max(timeout, duration::zero()));
  }
  if (first != nullptr) {
    co_await stop_point(asks::behind_a_stop);
    throw task_cancelled(cell_of(*first).reason(), first->id());
  }
}

task<> cancel_and_await(std::vector<task_ref> tasks, cancel_reason reason) {
  for (const task_ref& each : tasks) {
    if (hosts_caller(each)) {
      throw usage_error(
          "cancel_and_wait of the task that calls it, or of one above: it would wait for itself");
    }
  }
  for (const task_ref& each : tasks) {
    each.cancel(reason);
  }
  co_await shield(await_all(tasks));
  co_await stop_point();
}

task<> follow(task_ref of) {
  const outcome<bool> waited = co_await as_result(await_one(of, true));
  if (waited.cancelled()) {
    of.cancel(cancel_reason(cancel_kind::parent_cancelled));
    co_await shield(await_one(of, true));
    if (of.status() == task_status::failed) {
      std::rethrow_exception(cell_of(of).failure().error());
    }
    co_await stop();
  }
  waited.get();
}

}  // namespace coppice::inline v0::detail
