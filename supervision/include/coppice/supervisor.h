// A supervisor: children that live and fail alone, and a shutdown in two phases.
#pragma once

#include <coppice/child_spec.h>
#include <coppice/detail/body.h>
#include <coppice/detail/supervisor_core.h>
#include <coppice/group.h>
#include <coppice/shutdown.h>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

// Aggregate; the name is copied. A period that is not above zero: usage_error where the supervisor is opened.
struct supervisor_options {
  std::string_view name = {};
  restart_strategy strategy = restart_strategy::one_for_one;
  unsigned max_restarts = 3;  // More than these within period: restart_limit_exceeded.
  duration period = std::chrono::seconds(5);  // One that is as long ago still counts.
  shutdown_trigger auto_shutdown = shutdown_trigger::never;
  std::optional<std::size_t> max_children = {};  // Over it spawn throws resource_exhausted.
  duration drain = duration::zero();             // The defaults of shutdown().
  duration grace = std::chrono::seconds(5);
  on_stuck stuck = on_stuck::wait;
  source_site site = source_site::current();
};

// Valid inside its body only; from elsewhere use handle(). A child's failure goes to the handler once and at once,
// awaited or not, and is not kept. It concerns nobody else, unless it is a specified child's and the strategy says so;
// what spawn starts is never restarted. spawn and cancel may be called from any thread that the body outlives. A fatal
// failure cancels the supervisor and leaves it as it is.
class COPPICE_EXPORT supervisor : public cancel_scope, public spawner<supervisor> {
 public:
  // Live children, a snapshot.
  std::size_t size() const noexcept;

  // Ends children and body and returns when all have ended; the code behind the scope runs. Takes no more children at
  // once (spawn throws scope_closed), lets those there are finish for `drain`, cancels with the reason, and after
  // `grace` more names the stuck. From any task of any tree; the first call decides how, concurrent ones return
  // together, later ones at once (the report then names nobody any more). From below the supervisor itself the caller
  // is stopped. A caller that is cancelled waits no more, and the shutdown goes on.
  task<shutdown_report> shutdown();
  task<shutdown_report> shutdown(duration grace,
                                 cancel_reason reason = cancel_reason(cancel_kind::shutdown));
  task<shutdown_report> shutdown(shutdown_options options,
                                 cancel_reason reason = cancel_reason(cancel_kind::shutdown));

  // Starts it and returns; any thread, async-signal-safe.
  void request_shutdown() noexcept;

  // Cancels the scope and, at its exit, the task that hosts it, which is stopped there.
  void cancel_host(const cancel_reason& reason = {}) noexcept;

  // Specified children, by id. By any task of the runtime; each is done when the await returns, in the order of the
  // calls, between two steps of the supervisor: a child that calls while its own start is waited for waits for itself.
  // A caller that is stopped waits no more, and what it has asked for goes on. Once the supervisor is being shut down
  // or cancelled: scope_closed. A spec that cannot be, or an id that is not as said: usage_error.
  //
  // Adds a child behind the others and starts it. start_error if it ends before it has started, by its failure, or
  // cancelled, and nothing is added; ignored, its spec is kept, unless it is temporary, and no task is returned.
  // usage_error if the id is taken, by a child that runs or by one that does not; over max_children: resource_exhausted.
  template <class Spec>
    requires std::same_as<std::remove_cvref_t<Spec>, child_spec>
  detail::guarded<task<child_info>, Spec> start_child(Spec&& spec) {
    return start_specified(child_spec(std::forward<Spec>(spec)));
  }

  // Stops it, if it runs or waits for its restart. It is not restarted on that account; its spec is kept, unless it is
  // temporary, and a restart of all, or of the rest, starts it as well.
  task<> terminate_child(std::string_view id);

  // Starts one that does not run: usage_error if it does, or waits for its restart. start_error as above; the spec is
  // kept.
  task<child_info> restart_child(std::string_view id);

  // Forgets one that does not run: usage_error if it does, or waits for its restart.
  task<> delete_child(std::string_view id);

  // A snapshot: the specified in the order of their start, then those that spawn started in theirs. Any thread.
  std::vector<child_info> which_children() const;
  child_counts count_children() const noexcept;

  // Is told of each restart before it is tried. Returns the previous one; empty removes it. Any thread.
  restart_handler on_restart(restart_handler handler);

 protected:
  supervisor() noexcept = default;
  explicit supervisor(detail::core_ref core) noexcept : cancel_scope(std::move(core)) {}
  ~supervisor() = default;

 private:
  friend struct detail::spawn_access;

  detail::task_keeper& task_keeper_of() const;
  task<child_info> start_specified(child_spec spec);
};

namespace detail {

struct open_supervisor final : supervisor {
  explicit open_supervisor(core_ref core) noexcept : supervisor(std::move(core)) {}
};

COPPICE_EXPORT core_ref open_supervisor_core(const supervisor_options& options, cancel_node* parent,
                                             worker_core& here);

class supervisor_policy {
 public:
  template <class T>
  using result = T;

  explicit supervisor_policy(const supervisor_options& options) noexcept : options_(options) {}

  core_ref make(worker_core& here) const {
    return open_supervisor_core(options_, here.scope, here);
  }
  open_supervisor& face(scope_core& core) noexcept { return face_.make(core); }

  static void body_failed(scope_core& core, const std::exception_ptr& error) noexcept {
    static_cast<group_core&>(core).body_failed(error);
  }
  static bool failed(scope_core& core, const failure_slot& body) noexcept {
    return body.failed() || static_cast<group_core&>(core).failed();
  }

  template <class T>
  static T finish(scope_run& end, result_slot<T>& body) {
    static_cast<group_core&>(end.core())
        .throw_failures(body.failed() ? body.take_failure() : nullptr, end.outside());
    return take_result(end, body);
  }

 private:
  supervisor_options options_;
  late_face<open_supervisor> face_;
};

template <class Body>
using supervised =
    guarded<scope_operation<body_value_t<Body, supervisor&>, supervisor_policy, Body>, Body>;

// Starts them in order, or none.
COPPICE_EXPORT task<> start_children(supervisor& of, std::vector<child_spec> specs);

// A body behind the start of specified children.
template <class T, class Body>
class children_first {
 public:
  children_first(std::span<const child_spec> specs, Body&& body)
      : specs_(specs.begin(), specs.end()), body_(static_cast<Body&&>(body)) {}

  task<T> operator()(supervisor& of) {
    co_await start_children(of, std::move(specs_));
    co_return co_await start_body<T, Body>(body_.get(), of);
  }

 private:
  std::vector<child_spec> specs_;
  kept_body<Body> body_;
};

template <class Body, class T = body_value_t<Body, supervisor&>>
using supervised_behind =
    guarded<scope_operation<T, supervisor_policy, children_first<T, Body>>, Body>;

}  // namespace detail

// Runs body(supervisor&) while children live and fail alone; waits for all. Gives the body's value; a body failure
// cancels and awaits the children, then leaves naked. Own cancel or shutdown: as with_group.
template <class Body>
detail::supervised<Body> with_supervisor(supervisor_options options, Body&& body) {
  return {detail::supervisor_policy(options), std::forward<Body>(body)};
}

template <class Body>
detail::supervised<Body> with_supervisor(Body&& body, source_site site = source_site::current()) {
  return {detail::supervisor_policy({.site = site}), std::forward<Body>(body)};
}

// With specified children: started in order before the body runs, each when the one before has started; a start that
// fails undoes the earlier ones and throws start_error. At the end they are stopped in reverse order, one at a time,
// while the body and what spawn started are stopped at once. A child that ends is restarted by its type and the
// supervisor's strategy; a start that fails then counts as one more restart, and is tried again. More than max_restarts
// within period: all are stopped, and restart_limit_exceeded leaves the scope naked. The specs are copied, and checked
// before anything starts: usage_error.
template <class Body>
detail::supervised_behind<Body> with_supervisor(supervisor_options options,
                                                std::span<const child_spec> children, Body&& body) {
  return {detail::supervisor_policy(options),
          detail::children_first<detail::body_value_t<Body, supervisor&>, Body>(
              children, std::forward<Body>(body))};
}

// Without a body: until the children have ended for good, auto_shutdown, or a request; a cancel from above passes on.
COPPICE_EXPORT task<> supervise(supervisor_options options, std::span<const child_spec> children);

// A supervisor that is a member of a long-lived object. Destroying it with live children terminates with a sentence.
class COPPICE_EXPORT manual_supervisor : public supervisor {
 public:
  manual_supervisor() noexcept : manual_supervisor(supervisor_options{.site = {}}) {}
  explicit manual_supervisor(supervisor_options options);
  ~manual_supervisor();

  // Below the current task's innermost scope, which stays open until this one is closed; usage_error outside a task or
  // if open.
  void open();
  bool is_open() const noexcept;

  // Waits for the children without cancelling; shutdown() ends them. Both close it. Throws a fatal failure, and
  // restart_limit_exceeded.
  task<> close();

 private:
  std::string name_;
  supervisor_options options_;                 // Its name is name_.
  std::shared_ptr<detail::manual_join> join_;  // Of the last opening.
};

}  // namespace coppice::inline v0
