// What can be known of a socket's peer without reading.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

#include <poll.h>

#include <utility>

namespace coppice::inline v0::detail {

enum class peer_state { there, half_closed, gone };

// Of a connected stream socket: also while there are bytes to be read.
inline peer_state look_at_peer(int socket) noexcept {
  pollfd of{socket, POLLIN | POLLRDHUP, 0};
  if (::poll(&of, 1, 0) < 0) {
    return peer_state::there;  // Interrupted: the next look will tell.
  }
  if ((of.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
    return peer_state::gone;
  }
  return (of.revents & POLLRDHUP) != 0 ? peer_state::half_closed : peer_state::there;
}

// The same on the socket's executor, beside which nobody else uses the socket.
template <class Socket>
struct peer_look {
  using executor_type = typename Socket::executor_type;
  executor_type get_executor() const noexcept { return socket.get_executor(); }

  template <class Handler>
  void operator()(Handler&& handler) const {
    const peer_state seen = look_at_peer(socket.native_handle());
    boost::asio::post(get_executor(), [to_call = std::forward<Handler>(handler), seen]() mutable {
      std::move(to_call)(seen);
    });
  }

  Socket& socket;
};

template <class Socket, class Token>
auto async_look_at_peer(Socket& socket, Token&& token) {
  return boost::asio::async_initiate<Token, void(peer_state)>(peer_look<Socket>{socket}, token);
}

}  // namespace coppice::inline v0::detail
