// A child of which a supervisor knows how to start it: keeps the task of its last start, and those before that have been
// left behind.
#pragma once

#include "supervision/overseer_queue.h"
#include "supervision/restart_policy.h"

#include <coppice/child_spec.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/reference_count.h>
#include <coppice/detail/start_gate.h>
#include <coppice/shutdown.h>

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace coppice::inline v0::detail {

class overseer;
class specified_child;
class supervisor_core;

class child_ref {
 public:
  child_ref() noexcept = default;
  explicit child_ref(specified_child* counted) noexcept : child_(counted) {}  // Takes it over.
  inline child_ref(const child_ref& other) noexcept;
  child_ref(child_ref&& other) noexcept : child_(std::exchange(other.child_, nullptr)) {}
  child_ref& operator=(child_ref other) noexcept {
    std::swap(child_, other.child_);
    return *this;
  }
  inline ~child_ref();
  static inline child_ref share(specified_child& borrowed) noexcept;

  specified_child& operator*() const noexcept { return *child_; }
  specified_child* operator->() const noexcept { return child_; }

 private:
  specified_child* child_ = nullptr;
};

using child_list = std::list<child_ref>;  // In the order of their start.
using due_children = std::multimap<time_point, specified_child*>;

// How a child has ended.
struct child_end {
  task_status how = task_status::completed;
  error_entry failure = {};
  cancel_reason reason = reason_access::none();

  // What somebody may be told that waits for the child; null if it has returned.
  std::exception_ptr cause() const;
};

class specified_child final : public task_keeper {
 public:
  specified_child(overseer& of, supervisor_core& core, child_terms of_it)
      : terms(std::move(of_it)), overseer_(of), core_(core) {}
  specified_child(const specified_child&) = delete;
  specified_child& operator=(const specified_child&) = delete;

  void add_owner() noexcept { references_.add(); }
  void drop_owner() noexcept {
    if (references_.drop()) {
      delete this;
    }
  }

  // Starts a task of it, whose end the overseer is told of; false if the supervisor takes none any more. What it
  // throws is a failure of the start.
  bool launch();

  bool running() const noexcept { return static_cast<bool>(current); }
  outcome_cell& cell() const noexcept { return handle_access::cell(current, "a child"); }

  [[nodiscard]] admission enter() noexcept override;
  void leave() noexcept override;
  void list(outcome_cell& started) override;
  bool add_reference() noexcept override;
  void drop(std::uint32_t references) noexcept override;
  cancel_node* node() noexcept override;
  void ended(outcome_cell& task, bool taken) noexcept override;
  executor_core& home() const noexcept override;
  const char* kind() const noexcept override;
  std::string name() const override;
  unsigned restarts() const noexcept override {
    return started_again.load(std::memory_order_relaxed);
  }

  const child_terms terms;

  // The overseer's, and under its lock.
  task_ref current;  // Of the last start, until its end has been dealt with.
  std::shared_ptr<typed_start_state<void>>
      starting;                       // Of the same, if it says when it has started.
  bool has_ended = false;             // The task has, and is counted no more.
  time_point ended_at = {};           // When it had, the last time; it may be heard of later.
  bool restarting = false;            // It waits for its next start.
  atomic<unsigned> started_again{0};  // Dumps read it.
  message end{message::about::end, this};
  message next_try{message::about::next_try, this};

  // The overseer's alone.
  child_list::iterator place = {};
  due_children::iterator due = {};
  bool waits_for_due = false;
  std::optional<time_point> ran_since = {};  // Since it has started, the last time.
  child_end last_end = {};
  backoff_delay delay{terms.backoff};

 private:
  ~specified_child() = default;

  overseer& overseer_;
  supervisor_core& core_;  // Kept by each task.
  reference_count references_;
};

inline child_ref::child_ref(const child_ref& other) noexcept : child_(other.child_) {
  if (child_ != nullptr) {
    child_->add_owner();
  }
}

inline child_ref child_ref::share(specified_child& borrowed) noexcept {
  borrowed.add_owner();
  return child_ref(&borrowed);
}

inline child_ref::~child_ref() {
  if (child_ != nullptr) {
    child_->drop_owner();
  }
}

}  // namespace coppice::inline v0::detail
