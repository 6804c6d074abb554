// A task group: children that succeed together; the first failure cancels the rest.
#pragma once

#include <coppice/detail/group_core.h>
#include <coppice/detail/scope_run.h>
#include <coppice/detail/start_gate.h>
#include <coppice/exception_group.h>
#include <coppice/scope.h>
#include <coppice/shield.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

enum class on_child_failure {
  cancel_all,   // The first failure, of child or body, cancels the group (kind sibling_failed).
  collect_all,  // The others finish.
};

// Aggregate; the name is copied.
struct group_options {
  std::string_view name = {};
  on_child_failure on_failure = on_child_failure::cancel_all;
  std::optional<duration> timeout =
      {};  // Cancels the group, which absorbs it; with_timeout is the one that throws.
  std::optional<std::size_t> max_children = {};  // Over it spawn throws resource_exhausted.
  source_site site = source_site::current();
};

// Valid inside its body only. spawn and cancel may be called from any thread that the body outlives.
class COPPICE_EXPORT task_group : public cancel_scope, public spawner<task_group> {
 public:
  // Live children, a snapshot.
  std::size_t size() const noexcept;

  // Starts fn(basic_start_gate<V>&, args...) as a child and waits for its started(v): gives v; the child lives on. The
  // child's failure before that is thrown here and not counted in the group; if it merely returned: start_error. If
  // the caller is stopped meanwhile, the child is cancelled and awaited.
  template <class V = void, class F, class... Args>
  detail::guarded<task<V>, F> start(F&& fn, Args&&... args) {
    return start<V>(spawn_options{.site = {}}, std::forward<F>(fn), std::forward<Args>(args)...);
  }

  template <class V = void, class F, class... Args>
  detail::guarded<task<V>, F> start(spawn_options options, F&& fn, Args&&... args) {
    return detail::start_and_wait<V, std::decay_t<F>, std::decay_t<Args>...>(
        task_keeper_of(), options, std::forward<F>(fn), std::forward<Args>(args)...);
  }

 protected:
  task_group() noexcept = default;
  explicit task_group(detail::core_ref core) noexcept : cancel_scope(std::move(core)) {}
  ~task_group() = default;

 private:
  friend struct detail::spawn_access;

  detail::task_keeper& task_keeper_of() const;
};

namespace detail {

class manual_join;

struct open_group final : task_group {
  explicit open_group(core_ref core) noexcept : task_group(std::move(core)) {}
};

COPPICE_EXPORT core_ref open_group_core(const group_options& options, cancel_node* parent,
                                        worker_core& here);

class group_policy {
 public:
  template <class T>
  using result = T;

  explicit group_policy(const group_options& options) noexcept : options_(options) {}

  core_ref make(worker_core& here) const { return open_group_core(options_, here.scope, here); }
  open_group& face(scope_core& core) noexcept { return face_.make(core); }

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
  group_options options_;
  late_face<open_group> face_;
};

}  // namespace detail

// Runs body(task_group&), then waits until every child has ended and its frame is gone. Gives the body's value; throws
// exception_group{children's failures in arrival order, body's last} if there is any. A void body stopped by the
// group's own cancel: returns; a non-void one: throws task_cancelled(reason).
template <class Body>
detail::guarded<
    detail::scope_operation<detail::body_value_t<Body, task_group&>, detail::group_policy, Body>,
    Body>
with_group(group_options options, Body&& body) {
  return {detail::group_policy(options), std::forward<Body>(body)};
}

template <class Body>
detail::guarded<
    detail::scope_operation<detail::body_value_t<Body, task_group&>, detail::group_policy, Body>,
    Body>
with_group(Body&& body, source_site site = source_site::current()) {
  return {detail::group_policy({.site = site}), std::forward<Body>(body)};
}

// A group that is a member of a long-lived object. Destroying it with live children terminates with a sentence.
class COPPICE_EXPORT manual_group : public task_group {
 public:
  manual_group() noexcept : manual_group(group_options{.site = {}}) {}
  explicit manual_group(group_options options);
  ~manual_group();

  // Below the current task's innermost scope, which stays open until close(); usage_error outside a task or if open.
  void open();
  bool is_open() const noexcept;

  // Waits for the children, then throws as with_group does; the group can be opened again. Cancelled while it waits,
  // it cancels the children, awaits them, and stops. By one task at a time; on a closed group: returns.
  task<> close();

 private:
  std::string name_;
  group_options options_;                      // Its name is name_.
  std::shared_ptr<detail::manual_join> join_;  // Of the last opening.
};

}  // namespace coppice::inline v0
