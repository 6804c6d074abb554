// One sender's items to all who subscribed.
#pragma once

#include <coppice/channel.h>
#include <coppice/detail/broadcast_core.h>
#include <coppice/detail/export.h>
#include <coppice/detail/wait.h>
#include <coppice/detail/waiting_place.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

template <class T>
class broadcast;

namespace detail {
[[noreturn]] COPPICE_EXPORT void throw_empty_subscription();
}  // namespace detail

// Sees every item sent after it was made, in order. A slow one loses the oldest; missed() counts them. One task at a
// time. It may be moved while a task waits for it, but not destroyed.
template <class T>
class subscription {
 public:
  subscription(subscription&&) noexcept = default;
  subscription& operator=(subscription&& other) noexcept {
    subscription(std::move(other)).reader_.swap(reader_);
    return *this;
  }
  ~subscription() {
    if (reader_ != nullptr) {
      if (reader_->awaited.load(std::memory_order_relaxed)) {
        detail::end_of_waiting_place("a subscription");
      }
      reader_->core->leave();
    }
  }

  // Waits for the next; gives a copy. Empty: closed and drained. A cancellation point; one that is stopped has taken
  // nothing. usage_error if another task waits for it already, or if it was moved from.
  detail::wait_operation<typename detail::broadcast_core<T>::receive_source> receive() {
    using source = typename detail::broadcast_core<T>::receive_source;
    return detail::wait_operation<source>(source(required()));
  }

  // At once, any thread. Empty: nothing there now.
  std::optional<T> try_receive() {
    reader& from = required();
    typename detail::broadcast_core<T>::shared_item item;
    static_cast<void>(from.core->try_receive(from, item));
    return item != nullptr ? std::optional<T>(*item) : std::nullopt;
  }

  // How many items it was too slow for, until now.
  std::uint64_t missed() const noexcept {
    return reader_ != nullptr ? reader_->core->missed(*reader_) : 0;
  }

 private:
  friend class broadcast<T>;

  using reader = typename detail::broadcast_core<T>::reader;

  explicit subscription(const std::shared_ptr<detail::broadcast_core<T>>& to)
      : reader_(std::make_unique<reader>(to)) {
    to->enter(*reader_);
  }

  reader& required() const {
    if (reader_ == nullptr) {
      detail::throw_empty_subscription();
    }
    return *reader_;
  }

  std::unique_ptr<reader> reader_;  // Null: moved from.
};

// Keeps the last `capacity` items. send never waits. Subscriptions outlive it, and see it closed. Copies of an item are
// made, and what is no longer needed is destroyed, under no lock. All but the destructor is for any thread.
template <class T>
class broadcast {
  static_assert(std::is_copy_constructible_v<T>, "each who subscribed gets a copy");

 public:
  // 0: usage_error.
  explicit broadcast(std::size_t capacity)
      : core_(std::make_shared<detail::broadcast_core<T>>(capacity)) {}
  broadcast(const broadcast&) = delete;
  broadcast& operator=(const broadcast&) = delete;
  ~broadcast() { close(); }

  // After close(): channel_closed. Throws std::bad_alloc, and has then sent nothing.
  void send(T value) { core_->send(std::make_shared<const T>(std::move(value))); }

  subscription<T> subscribe() { return subscription<T>(core_); }

  // Idempotent. Who subscribed gets what it has not seen yet, as far as it is kept.
  void close() noexcept { core_->close(); }

  // A snapshot.
  std::size_t subscribers() const noexcept { return core_->readers(); }

 private:
  const std::shared_ptr<detail::broadcast_core<T>> core_;
};

}  // namespace coppice::inline v0
