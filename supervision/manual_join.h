// What a manual scope has instead of a body: somebody who opens it, and the wish to know when all has left.
#pragma once

#include <coppice/detail/group_core.h>
#include <coppice/detail/scope_core.h>
#include <coppice/detail/signal.h>
#include <coppice/scope.h>
#include <coppice/task.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace coppice::inline v0::detail {

// Closes the scope, on a worker, when all has left it; lives until then.
class manual_join final : public scope_joiner, public std::enable_shared_from_this<manual_join> {
 public:
  manual_join();

  // Opens `face` below the current task's innermost scope, by what `make` gives for a node to stand under. usage_error
  // outside a task, naming the call.
  static std::shared_ptr<manual_join> open(
      const char* call, cancel_scope& face,
      const std::function<core_ref(cancel_node*, worker_core&)>& make);

  bool is_open() const noexcept { return !core_->closed() && !core_->left(); }
  group_core& core() const noexcept { return static_cast<group_core&>(*core_.get()); }

  // What stood for the body leaves. Once counts.
  void leave_body() noexcept;

  // Waits until the scope is closed. If the caller is stopped meanwhile, what is left is cancelled and awaited all the
  // same: then true.
  task<bool> wait_for_end();

  // The face is destroyed while the scope is open. Terminates with a sentence if it has children.
  void abandon(const char* type, std::size_t children) noexcept;

 private:
  void close(worker_core& here) noexcept;

  signal over_;
  core_ref core_;
  core_ref parent_;                      // Kept open. Empty if that is no scope.
  atomic<bool> body_left_{false};        // leave_body().
  atomic<bool> awaited_{false};          // wait_for_end(): who waits throws what was collected.
  std::shared_ptr<manual_join> itself_;  // From open() to close().
};

// Waits as it says, then throws what the children left.
task<> close_manual_scope(std::shared_ptr<manual_join> join);
task<> nothing_to_close();

}  // namespace coppice::inline v0::detail
