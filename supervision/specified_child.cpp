#include "supervision/specified_child.h"

#include "supervision/overseer.h"

#include <coppice/detail/supervisor_core.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/spawn.h>

namespace coppice::inline v0::detail {

namespace {

// The child that says when it has started.
task<> run_gated(const child_terms* terms, start_teller<void> telling) {
  start_gate gate(telling.state());
  auto body = terms->gated_start(gate);
  co_await std::move(body);
}

task<> run_plain(const child_terms* terms) {
  return terms->start();
}

template <class F, class... Args>
std::pair<admission, task_handle<>> start_one(task_keeper& keeper, const child_terms& terms,
                                              F function, Args... arguments) {
  return start_under<void, started_call_of<F, Args...>>(
      keeper, {.name = terms.id, .site = terms.site}, false, std::move(function),
      std::move(arguments)...);
}

}  // namespace

std::exception_ptr child_end::cause() const {
  if (how == task_status::cancelled) {
    return std::make_exception_ptr(task_cancelled(reason));
  }
  return failure.error();
}

bool specified_child::launch() {
  starting = terms.gated_start != nullptr ? std::make_shared<typed_start_state<void>>() : nullptr;
  auto [answer, started] = starting != nullptr ? start_one(*this, terms, &run_gated, &terms,
                                                           start_teller<void>(starting))
                                               : start_one(*this, terms, &run_plain, &terms);
  if (answer == admission::exhausted) {
    throw_refused(answer, *this);
  }
  current = std::move(started);
  return answer == admission::admitted;
}

admission specified_child::enter() noexcept {
  return core_.children().enter();
}

void specified_child::leave() noexcept {
  core_.children().leave();
}

void specified_child::list(outcome_cell& started) {
  core_.children().list(started);
}

bool specified_child::add_reference() noexcept {
  add_owner();
  core_.add_reference();
  return true;
}

void specified_child::drop(std::uint32_t references) noexcept {
  supervisor_core& core = core_;
  if (references_.drop(references)) {
    delete this;
  }
  core.drop(references);
}

cancel_node* specified_child::node() noexcept {
  return &overseer_.children_node();
}

executor_core& specified_child::home() const noexcept {
  return core_.children().home();
}

const char* specified_child::kind() const noexcept {
  return core_.kind();
}

std::string specified_child::name() const {
  return std::string(core_.name());
}

// It is counted no more when the overseer hears of it: so its next start finds the place free.
void specified_child::ended(outcome_cell& task, bool /*taken*/) noexcept {
  worker_core& here = *this_worker();
  const overseer::stand of = overseer_.stand_of(*this, task);
  if (task.status() == task_status::failed &&
      (of != overseer::stand::starting || is_fatal(task.failure().error()))) {
    core_.take(task, here);
  }
  core_.child_ended(task.status());
  root_keeper(here).unlist(task);
  if (of == overseer::stand::left_behind) {
    core_.left_one_has_ended();
  }
  core_.children().left(1, here);
  overseer_.child_ended(*this, task);
}

}  // namespace coppice::inline v0::detail
