#include <coppice/detail/joining.h>

#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/shield.h>
#include <coppice/task_handle.h>

#include <string>

namespace coppice::inline v0::detail {

namespace {

task<> wait_for_end(task_ref of, bool takes) {
  co_await wait_operation<end_source>(end_source(std::move(of), takes));
}

// Does the stop that reaches the running code come from the join that it is a part of, or the scope around that?
bool join_gave_up() noexcept {
  cancel_node* const mine = this_worker()->scope;
  cancel_node* around = mine->parent();
  while (around != nullptr && around->scope() == nullptr && !around->is_task()) {
    around = around->parent();
  }
  return mine->requested() || (around != nullptr && !around->is_task() && around->requested());
}

}  // namespace

task<> join_end(task_ref of) {
  const outcome<> waited = co_await as_result(wait_for_end(of, true));
  if (!waited.cancelled()) {
    waited.get();
    co_return;
  }
  if (join_gave_up()) {
    of.cancel(waited.reason());
    co_await shield(wait_for_end(of, false));
  }
  co_await stop();
}

void throw_empty_child() {
  throw usage_error(
      "gather, race or another join of an empty task: it was default-constructed, moved from, or "
      "awaited before");
}

void require_lanes(std::size_t n, const char* call) {
  if (n == 0) {
    throw usage_error(std::string(call) + " with a limit of 0: nothing could ever run");
  }
}

}  // namespace coppice::inline v0::detail
