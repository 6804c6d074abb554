// The public face of scopes.
#include <coppice/scope.h>

#include <coppice/detail/climb.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/sleep.h>

#include <string>

namespace coppice::inline v0 {

namespace {

detail::worker_core& required_task(const char* call) {
  if (detail::current_task_id() == task_id::none) {
    throw usage_error(std::string(call) + " outside a task: there is no current scope");
  }
  return *detail::this_worker();
}

}  // namespace

detail::task_keeper& scope_handle::task_keeper_of() const {
  if (!core_) {
    throw usage_error("spawn on an empty scope_handle: it was default-constructed or moved from");
  }
  detail::task_keeper* const keeper = core_->keeper();
  if (keeper == nullptr) {
    throw usage_error(
        "spawn on the handle of a scope that keeps no tasks: only groups and supervisors do");
  }
  return *keeper;
}

scope_handle cancel_scope::handle() const noexcept {
  return detail::scope_access::handle(core_);
}

detail::scope_core& cancel_scope::open_core(const char* call) const {
  if (!core_) {
    throw usage_error(std::string(call) + " on a manual scope that is not open: call open() first");
  }
  return *core_.get();
}

detail::scope_core& cancel_scope::hosted_core(const char* call) const {
  detail::scope_core& core = open_core(call);
  const detail::worker_core* const here = detail::this_worker();
  if (here == nullptr || here->scope == nullptr || here->scope->task() != core.node().task()) {
    throw usage_error(std::string(call) +
                      " by another than the scope's host: only the task that opened the scope may");
  }
  return core;
}

void cancel_scope::reschedule(std::optional<time_point> when) {
  hosted_core("reschedule()").reschedule(when);
}

void cancel_scope::reschedule_after(duration d) {
  reschedule(detail::time_in(d));
}

void cancel_scope::set_shield(bool shielded) {
  open_core("set_shield()").set_shield(shielded);
}

void cancel_scope::bind(std::stop_token foreign) {
  hosted_core("bind()").bind(std::move(foreign));
}

error_handler cancel_scope::on_error(error_handler handler) {
  return open_core("on_error()").on_error(std::move(handler));
}

scope_handle current_scope() {
  detail::worker_core& here = required_task("current_scope()");
  return detail::scope_access::handle(detail::core_ref::share(detail::innermost_scope(here)));
}

namespace this_task {

std::vector<std::string_view> scopes() {
  std::vector<std::string_view> names;
  detail::cancel_node* each = required_task("this_task::scopes()").scope;
  const detail::climb upwards;
  for (; each != nullptr && each->parent() != nullptr; each = each->parent()) {
    if (const detail::scope_core* const scope = each->scope()) {
      names.push_back(scope->name());
    }
  }
  return names;
}

}  // namespace this_task

namespace detail {

core_ref open_strand_scope(const scope_options& options, worker_core& here) {
  core_ref core(new strand_scope(options.name, options.site, here));
  if (options.shield) {
    core->node().shield(true);
  }
  if (options.timeout) {
    core->reschedule(time_in(*options.timeout));
  }
  return core;
}

void throw_stopped(const cancel_reason& reason) {
  throw task_cancelled(reason);
}

}  // namespace detail
}  // namespace coppice::inline v0
