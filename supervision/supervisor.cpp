// Supervisors as users hold them.
#include <coppice/supervisor.h>

#include "supervision/manual_join.h"

#include <coppice/detail/climb.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>

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
  return core != nullptr ? *core->keeper() : detail::closed_keeper();
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

void supervisor::cancel_host(const cancel_reason& reason) noexcept {
  if (supervisor_core* const core = core_of(*this)) {
    core->cancel_host(reason);
  }
}

namespace detail {

core_ref open_supervisor_core(const supervisor_options& options, cancel_node* parent,
                              worker_core& here) {
  return core_ref(new supervisor_core(options.name, options.site, options.max_children,
                                      {options.drain, options.grace, options.stuck}, parent, here));
}

}  // namespace detail

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
