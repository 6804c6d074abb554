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

namespace coppice::inline v0::detail {

class COPPICE_EXPORT fork_base : public job {
 public:
  fork_base(const fork_base&) = delete;
  fork_base& operator=(const fork_base&) = delete;

  // A child of `chain` children has ended on this worker. Returns what runs next.
  [[gnu::always_inline]] std::coroutine_handle<> child_ended(worker_core& here, std::uint32_t chain) noexcept {
    if (chain == total_) [[likely]] {
      return finish(here, word_.load(std::memory_order_relaxed));
    }
    if (here.forks.pop_if(this)) [[likely]] {
      return start_next(here, chain + 1);
    }
    return arrive(here, chain);
  }

  void child_failed(failure_slot& failure) noexcept;
  std::coroutine_handle<> child_stopped(worker_core& here, std::uint32_t chain) noexcept;

 protected:
  fork_base() noexcept { run = &fork_base::start_stolen; }
  ~fork_base() = default;

  // Sets the fork up: children are linked by their `next`, the first is started by the caller.
  void begin(promise_base& parent, promise_base* second, std::uint32_t count) noexcept {
    parent_ = &parent;
    upcoming_ = second;
    total_ = count;
    word_.store(count, std::memory_order_relaxed);
  }

  // Lets a thief, or this worker later, start the next child.
  void offer(worker_core& here) noexcept {
    switch (here.forks.try_push(this)) {
      case push_result::kept: [[likely]] break;
      case push_result::published: here.published(); break;
      case push_result::full: here.post(*this); break;
    }
  }

  // Do the children still belong to whoever made the fork?
  bool unstarted() const noexcept { return parent_ == nullptr; }

  // Something other than values to deliver?
  bool troubled() const noexcept { return (word_.load(std::memory_order_relaxed) & ~pending_mask) != 0; }

  // The failures in the order of their arrival; the list is taken.
  failure_slot* take_failures() noexcept;

 private:
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

  // The holder starts the next child, in a chain of this length, and offers the rest.
  [[gnu::always_inline]] std::coroutine_handle<> start_next(worker_core& here,
                                                            std::uint32_t chain) noexcept {
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

  static void start_stolen(job& self, worker_core& here) noexcept;
  std::coroutine_handle<> arrive(worker_core& here, std::uint32_t chain) noexcept;
  std::coroutine_handle<> finish_stopped(worker_core& here, std::uint64_t word) noexcept;

  atomic<std::uint64_t> word_;   // Children not arrived for, failed, stopped. Every chain, at its end.
  std::uint32_t total_;          // begin(), constant afterwards.
  promise_base* upcoming_;       // The holder: the next child to start.
  promise_base* parent_ = nullptr;  // begin(), constant afterwards; null before.
  atomic<failure_slot*> failures_{nullptr};  // Any child that fails pushes; the parent takes.
};

}  // namespace coppice::inline v0::detail
