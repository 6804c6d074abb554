// What a worker that walks for a cancel owes to counts that all its leaves share, written down until it is settled.
//
// Thousands of tasks that end one behind the other would each take themselves off the same three counts, and each
// refer to the same reason: locked instructions, on lines that another worker has just written. So the worker keeps
// account of one keeper and one reason at a time, in plain memory, and settles it once in a while. What is owed stays
// counted meanwhile, so that nobody takes the keeper to have lost its tasks too early; nothing waits for it but joins.
// The same with a fork whose children are stopped.
//
// And first all frames go, of all tasks that the walk stops, and only then are the tasks told. What a task holds is let go
// when its frame goes; all else that its end means lies elsewhere in memory, and takes longer.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/reason_block.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace coppice::inline v0::detail {

class fork_base;
class receiver;
class task_keeper;
class worker_core;

// The worker's own.
class COPPICE_EXPORT walk_ledger {
 public:
  walk_ledger() noexcept = default;
  walk_ledger(const walk_ledger&) = delete;
  walk_ledger& operator=(const walk_ledger&) = delete;

  // Is a walk going on, so that it will be settled?
  bool open() const noexcept { return walks_ != 0; }

  void begin_walk() noexcept { ++walks_; }
  void end_walk(worker_core& here) noexcept {
    while (walks_ == 1 && (fork_ != nullptr || !put_off_.empty())) {
      settle(here);
      tell_put_off(here);
    }
    if (--walks_ == 0) {
      settle(here);
      settle_reason();
    }
  }

  // The task, whose frames are gone, is told of its stop when the walk is over. False: it is to be told now.
  bool put_off(receiver& task) noexcept { return walks_ != 0 && note_put_off(task); }

  // While open: one of its tasks has left the keeper; it has given back a reference to it.
  void leave(task_keeper& keeper, worker_core& here) noexcept {
    note(keeper, here);
    ++left_;
  }
  void drop(task_keeper& keeper, worker_core& here) noexcept {
    note(keeper, here);
    ++dropped_;
  }

  // So many children of the fork have been stopped: it is told when that is settled, and waits until then. False: it is to
  // be told now, as no walk is going on, or another fork is kept here.
  bool stop(fork_base& fork, std::uint32_t children) noexcept {
    if (walks_ == 0 || (fork_ != nullptr && fork_ != &fork)) {
      return false;
    }
    fork_ = &fork;
    stopped_ += children;
    return true;
  }

  // While open: a reference to the reason is had, or taken back, from what is kept here.
  void take(const reason_block& reason) noexcept {
    if (reason_ != &reason || references_ == 0) {
      stock(reason);
    }
    --references_;
  }
  bool give_back(const reason_block& reason) noexcept {
    if (reason_ != &reason) {
      return false;
    }
    ++references_;
    return true;
  }

  // What the keeper and the fork are owed. Both may be gone afterwards. In the walk, and not below a coroutine.
  void settle(worker_core& here) noexcept {
    if (keeper_ != nullptr) {
      pay(here);
    }
    if (fork_ != nullptr) {
      tell_fork(here);
    }
  }

 private:
  void note(task_keeper& keeper, worker_core& here) noexcept {
    if (keeper_ != &keeper) [[unlikely]] {
      if (keeper_ != nullptr) {
        pay(here);
      }
      keeper_ = &keeper;
    }
  }
  bool note_put_off(receiver& task) noexcept;
  void tell_put_off(worker_core& here) noexcept;
  void pay(worker_core& here) noexcept;
  void tell_fork(worker_core& here) noexcept;
  void stock(const reason_block& reason) noexcept;
  void settle_reason() noexcept;

  std::uint32_t walks_ = 0;  // In one another.
  std::uint32_t left_ = 0;
  std::uint32_t dropped_ = 0;
  std::uint32_t references_ = 0;  // To the reason, that nobody else has.
  std::uint32_t stopped_ = 0;     // Of the fork's children.
  task_keeper* keeper_ = nullptr;
  fork_base* fork_ = nullptr;
  const reason_block* reason_ = nullptr;
  std::vector<receiver*> put_off_;
};

}  // namespace coppice::inline v0::detail
