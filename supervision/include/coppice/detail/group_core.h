// What a group or a supervisor is behind its references: a scope that keeps tasks, and collects what they leave.
//
// Orderings
//   GF1  A failed child pushes itself behind its outcome, the joiner takes the list.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/cancel_node.h>
#include <coppice/detail/export.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/scope_core.h>
#include <coppice/exception_group.h>

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace coppice::inline v0::detail {

// What becomes of a child's failure.
enum class child_failures {
  cancel_all,   // Collected; the first cancels the others.
  collect_all,  // Collected.
  report,       // Told to the handlers at once.
};

class COPPICE_EXPORT group_core : public scope_core {
 public:
  // Below `parent`. Throws std::bad_alloc.
  group_core(std::string_view name, const source_site& site, child_failures treatment,
             std::optional<std::size_t> max_children, cancel_node* parent, worker_core& here);

  cancel_node& node() noexcept override { return node_; }
  task_keeper* keeper() noexcept override { return &children_; }
  task_keeper& children() noexcept { return children_; }
  const char* kind() const noexcept override { return "group"; }

  // Live children, a snapshot.
  std::size_t size() const noexcept { return children_.live.load(std::memory_order_relaxed); }

  // What the body has failed with: what that means for the children.
  void body_failed(const std::exception_ptr& error) noexcept;

  // Is there anything to be thrown, but for the body's failure?
  bool failed() const noexcept { return collected() || own_failure().error() != nullptr; }

  // Has a child left something to be thrown?
  bool collected() const noexcept {
    return failures_.load(std::memory_order_acquire) != nullptr;  // GF1
  }

  // Behind the end: throws what was collected, the body's failure and the scope's own, last, if there is any. A fatal
  // failure leaves as it is, and so does the last of a scope that collects nothing; others as an exception_group. What is not
  // thrown is reported. `host`: under which the thrown failure goes on.
  void throw_failures(const std::exception_ptr& body, cancel_node& host);

  // Instead: tells it to those that hear of failures at the node or above it, for nobody will throw it.
  void report_failures(cancel_node& from, worker_core& here) noexcept;

  // No more children.
  void seal() noexcept { sealed_.store(true, std::memory_order_relaxed); }

  // What stands for the body, of a scope without one, is asked to leave by this.
  void end_body_with(void (*leaving_call)(void*) noexcept, void* of) noexcept {
    leave_body_ = leaving_call;
    body_ = of;
  }

  // Its node is found from the nearest branch above, whatever else waits where it is opened.
  void stand_apart() noexcept { node_.stand_apart(); }

 protected:
  // The host goes on, with children left; what is above them from here on is the root. Returns who waited for the end.
  // On a worker, from its loop, by one who is counted.
  scope_joiner& leave_to_root(scope_joiner& other, worker_core& here) noexcept;
  void may_be_left() noexcept { node_.may_be_left(); }

  // What the scope itself has failed with; empty if it has not. Behind the end.
  virtual error_entry own_failure() const noexcept { return {}; }

  // What becomes of a child's failure.
  void take(outcome_cell& failed, worker_core& here) noexcept;

  // A child has ended, and is still counted.
  virtual void child_ended(task_status /*how*/) noexcept {}

  // Some that have ended are counted no more, but for the scope's being open. On a worker.
  virtual void children_left(worker_core& /*here*/) noexcept {}
  void close_node(worker_core& here) noexcept override { node_.close(&here); }

  void end_body() noexcept {
    if (leave_body_ != nullptr) {
      leave_body_(body_);
    }
  }

 private:
  class child_keeper final : public task_keeper {
   public:
    child_keeper(group_core& of, task_keeper& root) noexcept : of_(of), root_(root) {}

    admission enter() noexcept override;
    void leave() noexcept override;
    void list(outcome_cell& task) override { root_.list(task); }
    bool add_reference() noexcept override;
    void drop(std::uint32_t references) noexcept override { of_.drop(references); }
    cancel_node* node() noexcept override { return &of_.node_; }
    void ended(outcome_cell& task, bool taken) noexcept override;
    void left(std::uint32_t tasks, worker_core& here) noexcept override;
    executor_core& home() const noexcept override { return root_.home(); }
    const char* kind() const noexcept override { return of_.kind(); }
    std::string name() const override { return std::string(of_.name()); }

    atomic<std::size_t> live{0};  // Whoever spawns; each child at its end.

   private:
    group_core& of_;
    task_keeper& root_;
  };

  void push(outcome_cell& failed) noexcept;
  std::vector<error_entry> take_failures();

  // Without memory all are reported, and std::bad_alloc is thrown.
  exception_group make_group(const std::vector<error_entry>& entries, cancel_node& host,
                             worker_core& here) const;

  const child_failures treatment_;
  const std::size_t max_children_;
  atomic<bool> sealed_{false};  // seal().
  void (*leave_body_)(void*) noexcept = nullptr;
  void* body_ = nullptr;
  atomic<outcome_cell*> failures_{nullptr};  // Each child that fails pushes; the joiner takes.
  child_keeper children_;
  scope_node<branch_node> node_;
};

// Takes no task: the keeper of a manual scope that is not open.
COPPICE_EXPORT task_keeper& closed_keeper() noexcept;

}  // namespace coppice::inline v0::detail
