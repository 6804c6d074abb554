// A supervisor: children that live and fail alone, and a shutdown in two phases.
#pragma once

#include <coppice/detail/supervisor_core.h>
#include <coppice/group.h>
#include <coppice/shutdown.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace coppice::inline v0 {

// Aggregate; the name is copied.
struct supervisor_options {
  std::string_view name = {};
  std::optional<std::size_t> max_children = {};  // Over it spawn throws resource_exhausted.
  duration drain = duration::zero();             // The defaults of shutdown().
  duration grace = std::chrono::seconds(5);
  on_stuck stuck = on_stuck::wait;
  source_site site = source_site::current();
};

// Valid inside its body only; from elsewhere use handle(). A child's failure goes to the handler once and at once,
// awaited or not, concerns nobody else, and is not kept. spawn and cancel may be called from any thread that the body
// outlives. A fatal failure cancels the supervisor and leaves it as it is.
class COPPICE_EXPORT supervisor : public cancel_scope, public spawner<supervisor> {
 public:
  // Live children, a snapshot.
  std::size_t size() const noexcept;

  // Ends children and body and returns when all have ended; the code behind the scope runs. Takes no more children at
  // once (spawn throws scope_closed), lets those there are finish for `drain`, cancels with the reason, and after
  // `grace` more names the stuck. From any task of any tree; the first call decides how, concurrent ones return
  // together, later ones at once (the report then names nobody any more). From below the supervisor itself the caller is stopped. A caller that is cancelled
  // waits no more, and the shutdown goes on.
  task<shutdown_report> shutdown();
  task<shutdown_report> shutdown(duration grace,
                                 cancel_reason reason = cancel_reason(cancel_kind::shutdown));
  task<shutdown_report> shutdown(shutdown_options options,
                                 cancel_reason reason = cancel_reason(cancel_kind::shutdown));

  // Starts it and returns; any thread, async-signal-safe.
  void request_shutdown() noexcept;

  // Cancels the scope and, at its exit, the task that hosts it, which is stopped there.
  void cancel_host(const cancel_reason& reason = {}) noexcept;

 protected:
  supervisor() noexcept = default;
  explicit supervisor(detail::core_ref core) noexcept : cancel_scope(std::move(core)) {}
  ~supervisor() = default;

 private:
  friend struct detail::spawn_access;

  detail::task_keeper& task_keeper_of() const;
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
    return body.failed() || static_cast<group_core&>(core).collected();
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

  // Waits for the children without cancelling; shutdown() ends them. Both close it. Throws a fatal failure.
  task<> close();

 private:
  std::string name_;
  supervisor_options options_;                 // Its name is name_.
  std::shared_ptr<detail::manual_join> join_;  // Of the last opening.
};

}  // namespace coppice::inline v0
