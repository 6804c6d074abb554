// Supervisors as users hold them.
#include <coppice/supervisor.h>

#include "supervision/manual_join.h"
#include "supervision/overseer.h"

#include <coppice/detail/climb.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/shield.h>

#include <utility>

namespace coppice::inline v0 {

namespace {

using detail::core_ref;
using detail::supervisor_core;

supervisor_core* core_of(const supervisor& of) noexcept {
  return static_cast<supervisor_core*>(detail::scope_access::core(of).get());
}

// Does the running code stand below that scope?
bool below(const detail::scope_core& scope) noexcept {
  const detail::climb upwards;
  for (detail::cancel_node* each = detail::this_worker()->scope; each != nullptr;
       each = each->parent()) {
    if (each->scope() == &scope) {
      return true;
    }
  }
  return false;
}

class waiting_for_end {
 public:
  explicit waiting_for_end(supervisor_core& of) : of_(of) { of.add_waiter(mine_); }
  waiting_for_end(const waiting_for_end&) = delete;
  waiting_for_end& operator=(const waiting_for_end&) = delete;
  ~waiting_for_end() { of_.remove_waiter(mine_); }

  auto end() noexcept { return mine_.told.wait("a supervisor's shutdown"); }
  shutdown_report& report() noexcept { return mine_.report; }

 private:
  supervisor_core& of_;
  detail::shutdown_waiter mine_;
};

task<shutdown_report> shut_down(core_ref kept, shutdown_options how, cancel_reason reason) {
  if (!kept) {
    co_return shutdown_report();
  }
  auto& core = static_cast<supervisor_core&>(*kept.get());
  core.begin_shutdown(how, reason, *detail::this_worker());
  if (below(core)) {
    if (detail::this_worker()->scope->task() != core.node().task()) {
      core.add_waiter_below(*detail::this_worker());
    }
    detail::signal never;
    co_await never.wait("the shutdown of its own supervisor");
  }
  waiting_for_end waiting(core);
  co_await waiting.end();
  co_return std::move(waiting.report());
}

}  // namespace

std::size_t supervisor::size() const noexcept {
  const supervisor_core* const core = core_of(*this);
  return core != nullptr ? core->size() : 0;
}

detail::task_keeper& supervisor::task_keeper_of() const {
  supervisor_core* const core = core_of(*this);
  return core != nullptr ? core->children() : detail::closed_keeper();
}

task<shutdown_report> supervisor::shutdown() {
  return shutdown(shutdown_options{});
}

task<shutdown_report> supervisor::shutdown(duration grace, cancel_reason reason) {
  return shutdown(shutdown_options{.grace = grace}, std::move(reason));
}

task<shutdown_report> supervisor::shutdown(shutdown_options options, cancel_reason reason) {
  return shut_down(detail::scope_access::core(std::as_const(*this)), options, std::move(reason));
}

void supervisor::request_shutdown() noexcept {
  if (supervisor_core* const core = core_of(*this)) {
    core->request_shutdown();
  }
}

namespace {

task<child_info> ask(core_ref kept, std::shared_ptr<detail::overseer_call> asked) {
  if (!kept) {
    throw scope_closed("a manual_supervisor that is not open has no children: call open() first");
  }
  detail::overseer& oversees = static_cast<supervisor_core&>(*kept.get()).required_overseer();
  co_return co_await oversees.ask(kept, std::move(asked));
}

task<> ask_only(core_ref kept, std::shared_ptr<detail::overseer_call> asked) {
  co_await ask(std::move(kept), std::move(asked));
}

std::shared_ptr<detail::overseer_call> call_of(detail::overseer_call::kind wanted,
                                               std::string_view id) {
  return std::make_shared<detail::overseer_call>(wanted, std::string(id));
}

std::shared_ptr<detail::overseer_call> start_of(std::vector<child_spec> specs) {
  auto call = call_of(detail::overseer_call::kind::start, {});
  call->specs = std::move(specs);
  return call;
}

}  // namespace

task<child_info> supervisor::start_specified(child_spec spec) {
  std::vector<child_spec> specs;
  specs.push_back(std::move(spec));
  return ask(detail::scope_access::core(std::as_const(*this)), start_of(std::move(specs)));
}

task<> supervisor::terminate_child(std::string_view id) {
  return ask_only(detail::scope_access::core(std::as_const(*this)),
                  call_of(detail::overseer_call::kind::terminate, id));
}

task<child_info> supervisor::restart_child(std::string_view id) {
  return ask(detail::scope_access::core(std::as_const(*this)),
             call_of(detail::overseer_call::kind::restart, id));
}

task<> supervisor::delete_child(std::string_view id) {
  return ask_only(detail::scope_access::core(std::as_const(*this)),
                  call_of(detail::overseer_call::kind::forget, id));
}

std::vector<child_info> supervisor::which_children() const {
  std::vector<child_info> infos;
  supervisor_core* const core = core_of(*this);
  if (core == nullptr) {
    return infos;
  }
  if (const detail::overseer* const oversees = core->known_overseer()) {
    oversees->list_into(infos);
  }
  const detail::worker_core* const here = detail::this_worker();
  if (here != nullptr && core->size() != 0) {
    for (task_ref& each : core->spawned(*here)) {
      infos.push_back({.id = {}, .task = std::move(each)});
    }
  }
  return infos;
}

child_counts supervisor::count_children() const noexcept {
  child_counts counts;
  const supervisor_core* const core = core_of(*this);
  if (core == nullptr) {
    return counts;
  }
  if (const detail::overseer* const oversees = core->known_overseer()) {
    counts = oversees->count();
  }
  const std::size_t live = core->size();
  if (live > counts.active) {
    counts.workers += live - counts.active;
    counts.active = live;
  }
  return counts;
}

restart_handler supervisor::on_restart(restart_handler handler) {
  supervisor_core* const core = core_of(*this);
  if (core == nullptr) {
    throw usage_error("on_restart() on a manual_supervisor that is not open: call open() first");
  }
  return core->required_overseer().on_restart(std::move(handler));
}

void supervisor::cancel_host(const cancel_reason& reason) noexcept {
  if (supervisor_core* const core = core_of(*this)) {
    core->cancel_host(reason);
  }
}

namespace detail {

core_ref open_supervisor_core(const supervisor_options& options, cancel_node* parent,
                              worker_core& here) {
  if (options.period <= duration::zero()) {
    throw usage_error("supervisor \"" + std::string(options.name) +
                      "\": the period of its restarts is not above zero");
  }
  return core_ref(new supervisor_core(
      options.name, options.site, options.max_children,
      {options.drain, options.grace, options.stuck},
      {options.strategy, options.max_restarts, options.period, options.auto_shutdown}, parent,
      here));
}

// One that is ending starts nobody, and its body is stopped.
task<> start_children(supervisor& of, std::vector<child_spec> specs) {
  if (specs.empty()) {
    co_return;
  }
  bool ending = false;
  try {
    co_await ask(scope_access::core(std::as_const(of)), start_of(std::move(specs)));
  } catch (const scope_closed&) {
    ending = true;
  }
  if (ending) {
    signal never;
    co_await never.wait("the end of a supervisor that is being shut down");
  }
}

}  // namespace detail

namespace {

task<> run_without_body(std::string name, supervisor_options options,
                        std::vector<child_spec> children) {
  options.name = name;
  const auto body = [](supervisor&) -> task<> { co_return; };
  co_await with_supervisor(options, children, body);
  co_await detail::stop_point();
}

}  // namespace

task<> supervise(supervisor_options options, std::span<const child_spec> children) {
  return run_without_body(std::string(options.name), options, {children.begin(), children.end()});
}

manual_supervisor::manual_supervisor(supervisor_options options)
    : name_(options.name), options_(options) {
  options_.name = name_;
}

manual_supervisor::~manual_supervisor() {
  if (is_open()) {
    join_->abandon("manual_supervisor", size());
  }
}

void manual_supervisor::open() {
  if (is_open()) {
    throw usage_error("manual_supervisor::open() of a supervisor that is open: close it first");
  }
  join_ = detail::manual_join::open("manual_supervisor::open()", *this,
                                    [this](detail::cancel_node* parent, detail::worker_core& here) {
                                      return detail::open_supervisor_core(options_, parent, here);
                                    });
}

bool manual_supervisor::is_open() const noexcept {
  return join_ != nullptr && join_->is_open();
}

task<> manual_supervisor::close() {
  return is_open() ? detail::close_manual_scope(join_) : detail::nothing_to_close();
}

}  // namespace coppice::inline v0
