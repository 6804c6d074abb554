// A queue between tasks.
//
//   channel<order> orders(16);
//   co_await orders.send(std::move(each));                        // a producer; orders.close() when all have done
//   while (auto each = co_await orders.receive()) { use(*each); }  // a consumer
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/channel_core.h>
#include <coppice/detail/export.h>
#include <coppice/detail/ready_wait.h>

#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

// send() into a closed channel.
struct COPPICE_EXPORT channel_closed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Many senders, many receivers, first in first out; who waits is served in order of arrival. Capacity 0: send waits for
// its receiver; SIZE_MAX: unbounded, send never waits. Memory is asked for as it fills. The object must outlive its
// users; destroying it while a task waits there terminates. What was written before an item was sent is visible to who
// receives it.
//
// A cancelled send has sent nothing, and destroys its item, or leaves a moved(x) untouched; a cancelled receive has
// taken nothing. Once an item has been handed over both deliver, whatever is cancelled then. What T's move throws is
// thrown by the send or the receive in which it was moved; in a receive the item is then gone.
//
// T is moved under a short lock, when it is sent from where it lay: its move must not use this channel. Its destructor
// may.
template <class T>
class channel {
 public:
  explicit channel(std::size_t capacity = 0) : core_(capacity) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  // Destroys what was not received.
  ~channel() = default;

  // Waits for room; throws channel_closed. The T is made when called, of a moved(x) when it is sent. A cancellation
  // point. Throws std::bad_alloc, and has then sent nothing.
  template <class U = T>
    requires std::is_constructible_v<T, U> || std::is_same_v<std::remove_cvref_t<U>, moved_ref<T>>
  detail::guarded_value<detail::ready_wait<typename detail::channel_core<T>::send_source>, U> send(
      U&& value) {
    using source = typename detail::channel_core<T>::send_source;
    if constexpr (std::is_same_v<std::remove_cvref_t<U>, moved_ref<T>>) {
      return detail::ready_wait<source>(source(core_, value.get()));
    } else {
      return detail::ready_wait<source>(
          source(core_, typename detail::offered_item<T>::own(), std::forward<U>(value)));
    }
  }

  // At once, any thread: false if full or closed, then the value is untouched. Throws std::bad_alloc.
  bool try_send(T&& value) {
    detail::offered_item<T> offered(value);
    return core_.try_send(offered) == detail::channel_core<T>::attempt::done;
  }
  bool try_send(const T& value)
    requires std::is_copy_constructible_v<T>
  {
    detail::offered_item<T> offered(typename detail::offered_item<T>::own(), value);
    return core_.try_send(offered) == detail::channel_core<T>::attempt::done;
  }

  // Waits for an item. Empty: closed and drained; throws what close(error) gave, behind the last item. A cancellation
  // point.
  detail::ready_wait<typename detail::channel_core<T>::receive_source> receive() noexcept {
    using source = typename detail::channel_core<T>::receive_source;
    return detail::ready_wait<source>(source(core_));
  }

  // At once, any thread. Empty: nothing there now, or closed.
  std::optional<T> try_receive() {
    detail::item<T> received;
    if (core_.try_receive(received) != detail::channel_core<T>::attempt::done) {
      return std::nullopt;
    }
    return std::optional<T>(std::in_place, std::move(received.value()));
  }

  // Any thread; the first call counts. No more sends: those that wait throw channel_closed; the receivers drain what
  // there is.
  void close() noexcept { core_.close(nullptr); }
  void close(std::exception_ptr error) noexcept { core_.close(std::move(error)); }

  // Any thread; snapshots.
  bool closed() const noexcept { return core_.closed(); }
  std::size_t size() const noexcept { return core_.size(); }
  std::size_t capacity() const noexcept { return core_.capacity(); }

 private:
  detail::channel_core<T> core_;
};

}  // namespace coppice::inline v0
