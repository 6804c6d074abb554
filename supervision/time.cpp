// Time limits of bodies, and which of them binds.
#include <coppice/time.h>

#include <coppice/detail/climb.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>

#include <algorithm>

namespace coppice::inline v0 {

std::optional<time_point> current_deadline() {
  if (detail::current_task_id() == task_id::none) {
    throw usage_error("current_deadline() outside a task: there is none that it could bind");
  }
  time_point nearest = time_point::max();
  const detail::climb upwards;
  for (const detail::cancel_node* each = detail::this_worker()->scope; each != nullptr;
       each = each->parent()) {
    nearest = std::min(nearest, each->deadline());
    if (each->shielded()) {
      break;
    }
  }
  return nearest == time_point::max() ? std::nullopt : std::optional(nearest);
}

namespace detail {

core_ref time_limit::open(worker_core& here) {
  if (due_) {
    limit_ = std::max(*due_ - here.time_now(), duration::zero());
  } else {
    due_ = time_in(limit_);
    limit_ = std::max(limit_, duration::zero());
  }
  core_ref core = open_strand_scope({.site = {}}, here);
  core->reschedule(due_);
  return core;
}

void throw_timed_out(duration limit) {
  throw timeout_error(limit);
}

}  // namespace detail
}  // namespace coppice::inline v0
