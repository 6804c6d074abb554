// The way to an executor that may be gone: what handles, tokens and scopes keep instead of a pointer to it.
//
// A link is only ever reused as a link, for one executor after the other, whose id tells them apart. Its count of
// cancel requests never goes back, so that who polls may read it at any time.
//
// Orderings
//   EL1  Who pins counts itself, then reads the executor; close() takes that away, then reads the count: one of the
//        two sees the other. A pin lets go behind all that it did, close() acquires that.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>

#include <cstddef>
#include <cstdint>
#include <mutex>

namespace coppice::inline v0::detail {

class executor_core;
struct job;

// An executor's count of cancel requests. Even: its lowest bit is free for a node's answer.
using epoch = std::uint64_t;
inline constexpr epoch epoch_step = 2;

class COPPICE_EXPORT executor_link {
 public:
  executor_link() noexcept = default;
  executor_link(const executor_link&) = delete;
  executor_link& operator=(const executor_link&) = delete;

  // A link that leads to the executor. Throws std::bad_alloc.
  static executor_link& open(executor_core& to);

  // From here on nobody gets to the executor, and nobody is left who has. Once.
  void close() noexcept;

  // Of the executor it leads to; another one for each.
  std::uint64_t id() const noexcept { return id_.load(std::memory_order_relaxed); }

  // How many executors of this process live.
  static std::size_t open_links() noexcept;

  // Guards what one of its tasks has that is rarely touched. Held for a moment, and no second one within. Tasks outlive
  // their executor, and are too many for a mutex each.
  std::mutex& lock_of(const void* task) noexcept {
    return locks_[reinterpret_cast<std::uintptr_t>(task) / 64 % lock_count].mutex;
  }

  atomic<epoch> cancels{epoch_step};  // Whoever cancels: see cancel_node.h.

 private:
  friend class executor_pin;

  static constexpr std::size_t lock_count = 32;
  struct alignas(64) own_line {
    std::mutex mutex;
  };

  alignas(64) atomic<std::uint32_t> pins_{0};
  atomic<executor_core*> core_{nullptr};  // open(), close().
  atomic<std::uint64_t> id_{0};           // open().
  own_line locks_[lock_count];
};

// The one that opens a link, and closes it.
class link_owner {
 public:
  explicit link_owner(executor_core& to) : link_(executor_link::open(to)) {}
  link_owner(const link_owner&) = delete;
  link_owner& operator=(const link_owner&) = delete;
  ~link_owner() { close(); }

  executor_link& get() const noexcept { return link_; }

  void close() noexcept {
    if (open_) {
      open_ = false;
      link_.close();
    }
  }

 private:
  executor_link& link_;
  bool open_ = true;
};

// An executor, by value.
struct executor_ref {
  executor_link* link = nullptr;
  std::uint64_t id = 0;
};

// Keeps the executor from going away, for a moment. Never waits, and takes no lock.
class COPPICE_EXPORT executor_pin {
 public:
  explicit executor_pin(const executor_ref& to) noexcept;
  executor_pin(const executor_pin&) = delete;
  executor_pin& operator=(const executor_pin&) = delete;
  ~executor_pin();

  // Null if it is gone.
  executor_core* get() const noexcept { return pinned_; }

  // If it is not: moves its epoch; queues a job, from any thread, without memory.
  void bump_epoch() const noexcept;
  void post(job& ready) const noexcept;

 private:
  executor_link& link_;
  executor_core* pinned_;
};

}  // namespace coppice::inline v0::detail
