// The join of a fork: children that run one after the other on one worker until a thief takes a part.
//
// The fork lies in its parent's frame and is itself the job that starts the next child. It is in at most one
// deque at a time, so whoever pops or steals it is its only holder. A child that ends pops its worker's
// deque: if the fork is still there, the next child goes on in the same chain; if not, a thief has begun
// another chain, and this one arrives. A chain knows how many children it has run; if it has run all of
// them nothing was stolen, and no atomic operation is needed.
//
// Orderings
//   J1  A chain arrives by releasing what its children wrote; the last to arrive acquires it, and alone goes
//       on with the parent, which touches nothing that an earlier arrival still could.
#pragma once

#include <coppice/detail/promise_base.h>

#include <coroutine>
#include <cstdint>
#include <exception>

namespace coppice::inline v0::detail {

// The node of a fork that is a scope.
class COPPICE_EXPORT fork_node final : public branch_node {
 public:
  fork_node(cancel_node* parent, epoch seen) noexcept : branch_node(parent, seen) {}

  // Asks the children to stop. On a worker, by a child that fails.
  void stop_children(worker_core& here) noexcept;

 private:
  const reason_block* known_reason() const noexcept override;
};

class COPPICE_EXPORT fork_base : public job {
 public:
  fork_base(const fork_base&) = delete;
  fork_base& operator=(const fork_base&) = delete;

  // A child of `chain` children has ended on this worker. Returns what runs next.
  [[gnu::always_inline]] std::coroutine_handle<> child_ended(worker_core& here,
                                                             std::uint32_t chain) noexcept {
    if (chain == total_) [[likely]] {
      return finish(here, word_.load(std::memory_order_relaxed));
    }
    if (here.forks.pop_if(this)) [[likely]] {
      return start_next(here, chain + 1);
    }
    return arrive(here, chain);
  }

  // `scope`: the failed child's.
  void child_failed(failure_slot& failure, cancel_node* scope) noexcept;

  // A child has been stopped, or several: all of chains that together have so many. Returns what runs next; during a walk
  // that is nothing, and the fork hears of it later.
  std::coroutine_handle<> child_stopped(worker_core& here, std::uint32_t chain) noexcept;
  std::coroutine_handle<> children_stopped(worker_core& here, std::uint32_t chains) noexcept;

 protected:
  fork_base() noexcept { run = &fork_base::start_stolen; }
  ~fork_base() = default;

  // Sets the fork up: children are linked by their `next`, the first is started by the caller.
  // `opens`: the fork is a scope, whose node the children stand under.
  void begin(promise_base& parent, promise_base* second, std::uint32_t count, bool opens) noexcept {
    parent_ = &parent;
    upcoming_ = second;
    total_ = count;
    opens_ = opens;
    word_.store(count, std::memory_order_relaxed);
  }

  // Lets a thief, or this worker later, start the next child.
  void offer(worker_core& here) noexcept {
    switch (here.forks.try_push(this)) {
      case push_result::kept:
        [[likely]] break;
      case push_result::published:
        here.published();
        break;
      case push_result::full:
        here.post(*this);
        break;
    }
  }

  // Do the children still belong to whoever made the fork?
  bool unstarted() const noexcept { return parent_ == nullptr; }

  // Something other than values to deliver?
  bool troubled() const noexcept {
    return (word_.load(std::memory_order_relaxed) & ~pending_mask) != 0;
  }

  // Throws the first failure to arrive; the others are reported.
  [[noreturn]] void throw_first_failure();

  static constexpr std::uint64_t pending_mask = 0xffff'ffff;
  static constexpr std::uint64_t failed_bit = std::uint64_t{1} << 32;
  static constexpr std::uint64_t stopped_bit = std::uint64_t{1} << 33;

  // All children have ended.
  [[gnu::always_inline]] std::coroutine_handle<> finish(worker_core& here,
                                                        std::uint64_t word) noexcept {
    if ((word & stopped_bit) != 0) [[unlikely]] {
      return finish_stopped(here, word);
    }
    here.scope = parent_->scope();
    return parent_->handle();
  }

  // Marks the fork as failed, and stops the other children if it is a scope. True for the first.
  bool mark_failed(cancel_node* scope) noexcept;
  bool failed() const noexcept { return (word_.load(std::memory_order_relaxed) & failed_bit) != 0; }
  std::uint32_t total() const noexcept { return total_; }
  bool opens() const noexcept { return opens_ != 0; }
  std::uint64_t word() const noexcept { return word_.load(std::memory_order_relaxed); }

  // The holder starts the next child, in a chain of this length, and offers the rest.
  [[gnu::always_inline]] std::coroutine_handle<> start_next(worker_core& here,
                                                            std::uint32_t chain) noexcept {
    if (troubled()) [[unlikely]] {
      return start_no_more(here, chain);
    }
    promise_base& child = *upcoming_;
    child.chain = chain;
    upcoming_ = static_cast<promise_base*>(child.next);
    if (upcoming_ != nullptr) {
      offer(here);
    } else if (here.forks.share()) [[unlikely]] {
      here.published();
    }
    return child.handle();
  }

  std::coroutine_handle<> arrive(worker_core& here, std::uint32_t chain) noexcept;

 private:
  static void start_stolen(job& self, worker_core& here) noexcept;
  std::coroutine_handle<> start_no_more(worker_core& here, std::uint32_t chain) noexcept;
  std::coroutine_handle<> finish_stopped(worker_core& here, std::uint64_t word) noexcept;

  atomic<std::uint64_t>
      word_;                // Children not arrived for, failed, stopped. Every chain, at its end.
  std::uint32_t total_;     // begin(), constant afterwards.
  std::uint32_t opens_;     // The same.
  promise_base* upcoming_;  // The holder: the next child to start.
  promise_base* parent_ = nullptr;           // begin(), constant afterwards; null before.
  atomic<failure_slot*> failures_{nullptr};  // Any child that fails pushes; the parent takes.
};

// A fork whose children are made one after the other, each when its turn comes: when the one before it has
// ended, or a thief has taken the fork. It has one place for a failure, since it knows not how many children
// run at once; for those after the first it asks for memory.
class COPPICE_EXPORT fork_each_base : public fork_base {
 public:
  [[gnu::always_inline]] std::coroutine_handle<> child_ended(worker_core& here,
                                                             std::uint32_t chain) noexcept {
    if (chain == total()) [[likely]] {
      return finish(here, word());
    }
    if (here.forks.pop_if(this)) [[likely]] {
      return advance_(*this, here, chain);
    }
    return arrive(here, chain);
  }

  void child_failed(std::exception_ptr error, cancel_node* scope, worker_core& here) noexcept;

 protected:
  // Throws the first failure, or a fatal one; the others are reported.
  [[noreturn]] void throw_failure();

  // Makes the next child, of a chain that has run so many, and returns it; or ends the chain. The fork has
  // been taken from the deque before, since what the callable does may use that as well.
  using advance = std::coroutine_handle<>(fork_each_base&, worker_core&,
                                          std::uint32_t chain) noexcept;

  explicit fork_each_base(advance* next_child) noexcept : advance_(next_child) {
    run = [](job& self, worker_core& here) noexcept {
      auto& fork = static_cast<fork_each_base&>(self);
      here.scope = fork.children_scope_;
      fork.advance_(fork, here, 0).resume();
    };
  }
  ~fork_each_base() = default;

  // The chain has run, or given up, so many children; there are no more to make.
  std::coroutine_handle<> end_chain(worker_core& here, std::uint32_t chain) noexcept {
    return chain == total() ? finish(here, word()) : arrive(here, chain);
  }

  cancel_node* children_scope_ = nullptr;  // Before the fork is offered.
  std::exception_ptr failure_;             // The first child to fail.

 private:
  class late_failure;

  atomic<late_failure*> late_{nullptr};  // Any child that fails later pushes; the parent takes.
  advance* const advance_;
};

}  // namespace coppice::inline v0::detail
