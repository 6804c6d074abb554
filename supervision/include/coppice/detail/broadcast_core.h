// The inside of a broadcast: the last items, and where each who subscribed stands among them.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/waiter_list.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

[[noreturn]] COPPICE_EXPORT void throw_broadcast_closed();
[[noreturn]] COPPICE_EXPORT void throw_received_by_two();
COPPICE_EXPORT std::size_t required_capacity(std::size_t capacity);

// Items are counted, so that many may have the same; they are copied, and destroyed, outside the lock.
template <class T>
class broadcast_core {
 public:
  using shared_item = std::shared_ptr<const T>;

  // Where one who subscribed stands.
  struct reader {
    explicit reader(std::shared_ptr<broadcast_core> of) noexcept : core(std::move(of)) {}

    const std::shared_ptr<broadcast_core> core;
    std::uint64_t next = 0;    // Under the lock: the number of the item that it gets next.
    std::uint64_t missed = 0;  // Under the lock.
    atomic<bool> awaited{false};
  };

  class receive_source;

  enum class attempt : std::uint8_t { done, closed, must_wait };

  explicit broadcast_core(std::size_t capacity) : capacity_(required_capacity(capacity)) {}
  broadcast_core(const broadcast_core&) = delete;
  broadcast_core& operator=(const broadcast_core&) = delete;

  void send(shared_item item) {
    shared_item oldest;
    woken_list woken;
    const std::lock_guard lock(mutex_);
    if (closed_) {
      throw_broadcast_closed();
    }
    if (kept_.size() != capacity_) {
      kept_.push_back(item);
    } else {
      oldest = std::exchange(at(sent_), item);
    }
    ++sent_;
    while (receivers_.serve_first(woken, [&](waiter& one) {
      auto& receiver = static_cast<receive_source&>(one);
      receiver.item_ = item;
      receiver.from_->next = sent_;
    })) {
    }
  }

  void close() noexcept {
    woken_list woken;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    while (receivers_.serve_first(woken, [](waiter&) {})) {
    }
  }

  void enter(reader& fresh) noexcept {
    const std::lock_guard lock(mutex_);
    fresh.next = sent_;
    ++readers_;
  }
  void leave() noexcept {
    const std::lock_guard lock(mutex_);
    --readers_;
  }
  std::size_t readers() const noexcept {
    const std::lock_guard lock(mutex_);
    return readers_;
  }

  attempt try_receive(reader& from, shared_item& into) noexcept {
    const std::lock_guard lock(mutex_);
    const std::uint64_t lost = lost_by(from);
    from.missed += lost;
    from.next += lost;
    if (from.next == sent_) {
      return closed_ ? attempt::closed : attempt::must_wait;
    }
    into = at(from.next++);
    return attempt::done;
  }

  std::uint64_t missed(const reader& by) const noexcept {
    const std::lock_guard lock(mutex_);
    return by.missed + lost_by(by);
  }

 private:
  shared_item& at(std::uint64_t number) noexcept {
    return kept_[static_cast<std::size_t>(number % capacity_)];
  }

  // How many are gone that it has not been given.
  std::uint64_t lost_by(const reader& of) const noexcept {
    const std::uint64_t oldest = sent_ - kept_.size();
    return of.next < oldest ? oldest - of.next : 0;
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;  // What follows is used under it.
  std::vector<shared_item> kept_;
  std::uint64_t sent_ = 0;  // Items are numbered in this order.
  std::size_t readers_ = 0;
  bool closed_ = false;
  waiter_list receivers_;
};

// A wait for the next item of one who subscribed.
template <class T>
class broadcast_core<T>::receive_source : waiter {
 public:
  using value_type = std::optional<T>;
  static constexpr const char* name = "broadcast.receive";

  explicit receive_source(reader& from) noexcept : from_(&from) {}

  bool ready() noexcept { return core().try_receive(*from_, item_) != attempt::must_wait; }

  void arm(const ticket& wait, worker_core& here) {
    if (from_->awaited.exchange(true, std::memory_order_relaxed)) {
      throw_received_by_two();
    }
    waits_ = true;
    const std::lock_guard lock(core().mutex_);
    if (core().closed_ || from_->next != core().sent_) {
      // Under the lock the claim is what counts; the item is still there when it is taken.
      static_cast<void>(this->serve_itself(wait));
    } else {
      core().receivers_.add(*this, wait, here);
    }
  }

  void disarm() noexcept {
    static_cast<void>(this->leave(core().mutex_));
    if (std::exchange(waits_, false)) {
      from_->awaited.store(false, std::memory_order_relaxed);
    }
  }

  using waiter::served;

  std::optional<T> result() {
    if (item_ == nullptr) {
      static_cast<void>(ready());  // It came while the wait began; or it is closed.
    }
    return item_ != nullptr ? std::optional<T>(*item_) : std::nullopt;
  }

 private:
  friend class broadcast_core;

  broadcast_core& core() const noexcept { return *from_->core; }

  reader* from_;
  shared_item item_;  // The task, or who serves it.
  bool waits_ = false;
};

}  // namespace coppice::inline v0::detail
