// The inside of a channel: what lies in it, who waits to send, and who waits to receive.
//
// Whoever comes does at once what can be done: a sender serves the receiver who has waited longest, or else puts its
// item into the ring; a receiver takes the oldest item from the ring, whose place is then for the sender who has waited
// longest, or else serves such a sender. Who finds nothing to do waits. So always holds, of those whose wait is not over:
//
//   somebody waits to receive   the ring is empty, and nobody waits to send
//   somebody waits to send      the ring is full
//
// but that the two sides of one select(...) may wait for each other.
// The ring has a lock at each end. A sender needs but its own if there is a place and nobody waits to receive, a receiver
// if there is an item and nobody waits to send. All else is done, and who waits changes, under both.
//
// An item moves at the moment when its send takes effect, and not before: a moved(x) is emptied by whoever serves its
// sender. If T's move throws there, that is the sender's failure, and the next is served instead.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/item_ring.h>
#include <coppice/detail/waiter_list.h>
#include <coppice/detail/waiting_place.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

[[noreturn]] COPPICE_EXPORT void throw_channel_closed();

// What a send brings: an item of its own, or one that stays where it is until it is sent.
template <class T>
class offered_item {
 public:
  struct own {};

  template <class... From>
  explicit offered_item(own, From&&... from) {
    item_.fill(std::forward<From>(from)...);
  }
  explicit offered_item(T& of_another) noexcept : from_(std::addressof(of_another)) {
    item_.clear();
  }
  offered_item(offered_item&& other) noexcept : from_(other.from_) {
    if (from_ == nullptr) {
      item_.take_from(other.item_);
    }
  }

  // Before the lock is taken. Throws std::bad_alloc.
  void reserve() {
    if (from_ != nullptr) {
      item_.reserve();
    }
  }

  // The item, which is sent now. What T's move throws leaves all as it is.
  item<T>& take() noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (from_ != nullptr) {
      item_.fill(std::move(*from_));
      from_ = nullptr;
    }
    return item_;
  }

 private:
  item<T> item_;
  T* from_ = nullptr;
};

template <class T>
class channel_core {
 public:
  class send_source;
  class receive_source;

  enum class attempt : std::uint8_t { done, closed, must_wait };

  explicit channel_core(std::size_t capacity) noexcept : capacity_(capacity) {}
  channel_core(const channel_core&) = delete;
  channel_core& operator=(const channel_core&) = delete;

  // Whoever has let the owner go may still hold the lock. Items may look at the channel when they are destroyed.
  ~channel_core() {
    {
      const std::lock_guard lock(items_);
      if (!senders_.empty() || !receivers_.empty()) {
        end_of_waiting_place("a channel");
      }
    }
    close(nullptr);
    attempt last = attempt::done;
    while (last == attempt::done) {
      item<T> left;
      last = try_receive(left);
    }
  }

  // At once, or not at all.
  attempt try_send(offered_item<T>& offered) {
    offered.reserve();
    for (;;) {
      std::size_t room = 0;
      {
        woken_list woken;
        const std::lock_guard lock(items_.push_end());
        if (closed()) {
          return attempt::closed;
        }
        if (receivers_.empty() && items_.has_place()) [[likely]] {
          items_.push(offered.take());
          return attempt::done;
        }
        const std::lock_guard other(items_.pop_end());
        if (!receivers_.empty() && serve_receiver(offered, woken)) {
          return attempt::done;
        }
        if (items_.size() == capacity_) {
          return attempt::must_wait;
        }
        room = items_.room();
        if (items_.size() != room) {
          items_.push(offered.take());
          return attempt::done;
        }
      }
      grow(room);
    }
  }

  attempt try_receive(item<T>& into) noexcept {
    std::unique_lock lock(items_.pop_end());
    if (senders_.empty() && items_.has_item()) [[likely]] {
      items_.pop(into);
      return attempt::done;
    }
    lock.release();
    return receive_from_either(into);
  }

  void close(std::exception_ptr error) noexcept {
    woken_list woken;
    const std::lock_guard lock(items_);
    if (closed()) {
      return;
    }
    error_ = std::move(error);
    closed_.store(true, std::memory_order_relaxed);
    while (senders_.serve_first(woken, [](waiter& one) {
      static_cast<send_source&>(one).end_ = send_source::end::closed;
    })) {
    }
    while (receivers_.serve_first(
        woken, [this](waiter& one) { static_cast<receive_source&>(one).be_closed(error_); })) {
    }
  }

  // Any thread, without the lock. What was written before close() need not be visible.
  bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }
  std::size_t size() const noexcept { return std::min(items_.size(), capacity_); }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  // The item leaves its sender only if a receiver has got it; but a move that may throw must be behind us before.
  bool serve_receiver(offered_item<T>& offered, woken_list& woken) {
    if constexpr (!std::is_nothrow_move_constructible_v<T>) {
      while (!receivers_.empty() && !receivers_.first()->open()) {
        static_cast<void>(receivers_.first()->serve(woken));
      }
      if (receivers_.empty()) {
        return false;
      }
      offered.take();
    }
    return receivers_.serve_first(
        woken, [&](waiter& one) { static_cast<receive_source&>(one).accept(offered.take()); });
  }

  // False: nobody is left there who has an item to give.
  template <class Accept>
  bool serve_sender(woken_list& woken, Accept accept) noexcept {
    bool given = false;
    while (!given && senders_.serve_first(woken, [&](waiter& one) {
      given = static_cast<send_source&>(one).give(accept);
    })) {
    }
    return given;
  }

  // Takes the pop end's lock over. Memory that many items have used is given back when nothing is left of them.
  [[gnu::noinline]] attempt receive_from_either(item<T>& into) noexcept {
    typename item_ring<T>::memory unused;
    woken_list woken;
    items_.lock_push_end_too();
    const std::lock_guard lock(items_, std::adopt_lock);
    if (items_.size() != 0) {
      items_.pop(into);
      if (!senders_.empty()) {
        refill(woken);
      }
      return attempt::done;
    }
    unused = items_.give_up_memory();
    if (!senders_.empty() && serve_sender(woken, [&](item<T>& given) { into.take_from(given); })) {
      return attempt::done;
    }
    return closed() ? attempt::closed : attempt::must_wait;
  }

  void refill(woken_list& woken) noexcept {
    static_cast<void>(serve_sender(woken, [this](item<T>& given) { items_.push(given); }));
  }

  // When there was no more than that room, and no place left.
  [[gnu::noinline]] void grow(std::size_t room) {
    const std::size_t larger = item_ring<T>::next_room(room, capacity_);
    typename item_ring<T>::memory memory = item_ring<T>::make(larger);
    const std::lock_guard lock(items_);
    if (items_.room() < larger) {
      items_.move_into(memory, larger);
    }
  }

  item_ring<T> items_;
  const std::size_t capacity_;
  // These change under both locks of the ring; who has one may look.
  atomic<bool> closed_{false};
  waiter_list receivers_;
  waiter_list senders_;
  std::exception_ptr error_;  // Of close().
};

// A wait for room.
template <class T>
class channel_core<T>::send_source : waiter {
 public:
  using value_type = void;
  static constexpr const char* name = "channel.send";

  template <class... Offered>
  explicit send_source(channel_core& to, Offered&&... offered)
      : to_(&to), offered_(std::forward<Offered>(offered)...) {}

  bool ready() {
    switch (to_->try_send(offered_)) {
      case attempt::done:
        end_ = end::sent;
        return true;
      case attempt::closed:
        end_ = end::closed;
        return true;
      case attempt::must_wait:
        break;
    }
    return false;
  }

  void arm(const ticket& wait, worker_core& here) {
    while (!enlist(wait, here)) {
      if (ready()) {
        static_cast<void>(this->serve_itself(wait));
        return;
      }
    }
  }

  // Waits, unless there is something to do at once: then false, and nothing has been done.
  bool enlist(const ticket& wait, worker_core& here) noexcept {
    const std::lock_guard lock(to_->items_);
    if (to_->closed() || to_->items_.size() != to_->capacity_ ||
        to_->receivers_.someone_open_besides(wait)) {
      return false;
    }
    to_->senders_.add(*this, wait, here);
    return true;
  }

  void disarm() noexcept { static_cast<void>(this->leave(to_->items_)); }

  using waiter::served;

  void result() {
    if (end_ == end::closed) {
      throw_channel_closed();
    }
    if (failure_ != nullptr) [[unlikely]] {
      std::rethrow_exception(std::move(failure_));
    }
  }

 private:
  friend class channel_core;

  enum class end : std::uint8_t { none, sent, closed };

  // Under the lock, by who serves it. False: it had nothing to give, for the move threw.
  template <class Accept>
  bool give(Accept& accept) noexcept {
    end_ = end::sent;
    try {
      accept(offered_.take());
      return true;
    } catch (...) {
      failure_ = std::current_exception();
      return false;
    }
  }

  channel_core* to_;
  offered_item<T> offered_;
  std::exception_ptr failure_;
  end end_ = end::none;  // The task, or who serves it.
};

// A wait for an item.
template <class T>
class channel_core<T>::receive_source : waiter {
 public:
  using value_type = std::optional<T>;
  static constexpr const char* name = "channel.receive";

  explicit receive_source(channel_core& from) noexcept : from_(&from) {}
  receive_source(receive_source&& other) noexcept : from_(other.from_) {}

  bool ready() noexcept {
    switch (from_->try_receive(item_)) {
      case attempt::done:
        end_ = end::received;
        return true;
      case attempt::closed:
        be_closed(from_->error_);
        return true;
      case attempt::must_wait:
        break;
    }
    return false;
  }

  void arm(const ticket& wait, worker_core& here) noexcept {
    while (!enlist(wait, here)) {
      if (ready()) {
        static_cast<void>(this->serve_itself(wait));
        return;
      }
    }
  }

  // Waits, unless there is something to do at once: then false, and nothing has been done.
  bool enlist(const ticket& wait, worker_core& here) noexcept {
    const std::lock_guard lock(from_->items_);
    if (from_->closed() || from_->items_.size() != 0 ||
        from_->senders_.someone_open_besides(wait)) {
      return false;
    }
    from_->receivers_.add(*this, wait, here);
    return true;
  }

  void disarm() noexcept { static_cast<void>(this->leave(from_->items_)); }

  using waiter::served;

  std::optional<T> result() {
    if (end_ == end::received) [[likely]] {
      return std::optional<T>(std::in_place, std::move(item_.value()));
    }
    if (error_ != nullptr) {
      std::rethrow_exception(std::move(error_));
    }
    return std::nullopt;
  }

 private:
  friend class channel_core;

  enum class end : std::uint8_t { none, received, closed };

  // Under the lock, by who serves it.
  void accept(item<T>& sent) noexcept {
    item_.take_from(sent);
    end_ = end::received;
  }
  void be_closed(const std::exception_ptr& error) noexcept {
    error_ = error;
    end_ = end::closed;
  }

  channel_core* from_;
  item<T> item_;
  std::exception_ptr error_;
  end end_ = end::none;  // The task, or who serves it.
};

}  // namespace coppice::inline v0::detail
