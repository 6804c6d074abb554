#include "supervision/manual_join.h"

#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/shield.h>

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace coppice::inline v0::detail {

manual_join::manual_join() {
  run = [](job& self, worker_core& here) noexcept {
    static_cast<manual_join&>(static_cast<scope_joiner&>(self)).close(here);
  };
}

// A manual scope waits beside whatever its host waits for; so it stands apart.
std::shared_ptr<manual_join> manual_join::open(
    const char* call, cancel_scope& face,
    const std::function<core_ref(cancel_node*, worker_core&)>& make) {
  if (current_task_id() == task_id::none) {
    throw usage_error(std::string(call) + " outside a task: there is no scope to open it below");
  }
  worker_core& here = *this_worker();
  cancel_node* parent = here.scope;
  while (parent->scope() == nullptr && parent->parent() != nullptr) {
    parent = parent->parent();
  }
  auto join = std::make_shared<manual_join>();
  join->core_ = make(parent, here);
  join->core_->join_by(*join);
  if (parent->scope() != nullptr && parent->scope()->enter_open()) {
    join->parent_ = core_ref::share(parent->scope());
  }
  join->core().stand_apart();
  join->core().end_body_with([](void* of) noexcept { static_cast<manual_join*>(of)->leave_body(); },
                             join.get());
  join->itself_ = join;
  scope_access::core(face) = join->core_;
  return join;
}

void manual_join::leave_body() noexcept {
  if (!body_left_.exchange(true, std::memory_order_relaxed)) {
    if (core_->leave_body()) {
      core_->tell_joiner();
    }
  }
}

task<bool> manual_join::wait_for_end() {
  const std::shared_ptr<manual_join> kept = shared_from_this();
  awaited_.store(true, std::memory_order_relaxed);
  leave_body();
  auto end = over_.wait("a manual scope's children");
  const outcome<> waited = co_await as_result(std::move(end));
  if (waited.cancelled()) {
    core_->cancel(waited.reason());
    const auto rest = [this]() -> task<> { co_await over_.wait("a manual scope's children"); };
    co_await shield(rest);
  }
  co_return waited.cancelled();
}

void manual_join::close(worker_core& here) noexcept {
  const std::shared_ptr<manual_join> kept = std::move(itself_);
  if (!core_->left()) {
    if (!awaited_.load(std::memory_order_relaxed)) {
      core().report_failures(core().node(), here);
    }
    core_->leaving();
    core_->close(here);
  }
  over_.set();
  if (parent_) {
    std::exchange(parent_, {})->leave();
  }
}

void manual_join::abandon(const char* type, std::size_t children) noexcept {
  if (children != 0) {
    std::fprintf(stderr,
                 "coppice: a %s is destroyed while it has %zu live child(ren): co_await its "
                 "close() or shutdown() before its owner goes.\n",
                 type, children);
    std::terminate();
  }
  leave_body();
}

task<> close_manual_scope(std::shared_ptr<manual_join> join) {
  const bool stopped = co_await join->wait_for_end();
  join->core().throw_failures(nullptr, *this_worker()->scope);
  if (stopped) {
    co_await stop();
  }
}

task<> nothing_to_close() {
  co_return;
}

}  // namespace coppice::inline v0::detail
