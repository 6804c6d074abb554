// Boost.Asio (1.81 and later) in tasks: a completion token, with which a task awaits sockets, timers, resolvers and whatever
// else is initiated in Asio's manner, and can be stopped there.
//
//   std::size_t n = co_await socket.async_read_some(buffer, coppice::use_task);
//
// The component `asio` of the package; nothing else of coppice includes Boost.
#pragma once

#include <coppice/awaiter.h>
#include <coppice/detail/asio_operation.h>
#include <coppice/detail/asio_peer.h>
#include <coppice/sleep.h>
#include <coppice/task.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <concepts>
#include <thread>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

// The completion token. What it gives is awaited in a task: the results of the operation, nothing if there are none, a
// std::tuple of several. A leading error_code or exception_ptr is thrown, if it is one: boost::system::system_error, or
// what it holds. asio::as_tuple(use_task(executor)) gives the error_code among the results instead.
//
// Can stand in gather, select, with_timeout. The operation starts when it is awaited, on the executor, and completes there;
// the task goes on on a worker. A stop asks it to end, by its cancellation slot: if it then completes with
// operation_aborted the task is stopped; what it completes with otherwise is delivered, so nothing that was read or accepted
// is lost. Stopped before it has begun, it does not begin.
//
// The executor must never run two handlers at once: an io_context's that one thread runs, or a strand's. An executor that
// has ended with the operation unfinished: usage_error in the task. One that is not run: the task waits for ever, and a stop
// of it too. What is given to the operation (socket, buffers) lives until the await returns.
template <class Executor = detail::own_executor>
class use_task_t {
 public:
  constexpr use_task_t() noexcept
    requires std::same_as<Executor, detail::own_executor>
  {}
  explicit constexpr use_task_t(const Executor& executor) noexcept : executor_(executor) {}

  // On that executor, rather than that of the object which initiates the operation. Needed where what is initiated does not
  // tell it: composed operations, and tokens made of this one.
  template <class Other>
  constexpr use_task_t<Other> operator()(const Other& executor) const noexcept {
    return use_task_t<Other>(executor);
  }

  const Executor& executor() const noexcept { return executor_; }

  // Of objects whose operations take this token when none is given.
  template <class Inner>
  struct executor_with_default : Inner {
    using default_completion_token_type = use_task_t;

    template <class Given>
      requires(!std::same_as<Given, executor_with_default> && std::is_convertible_v<Given, Inner>)
    executor_with_default(const Given& given) noexcept  // Implicit, as Asio's.
        : Inner(given) {}
  };
  template <class Object>
  using as_default_on_t = typename Object::template rebind_executor<
      executor_with_default<typename Object::executor_type>>::other;
  template <class Object>
  static as_default_on_t<std::decay_t<Object>> as_default_on(Object&& object) {
    return as_default_on_t<std::decay_t<Object>>(std::forward<Object>(object));
  }

 private:
  Executor executor_;
};

inline constexpr use_task_t<> use_task;

// An io_context with a thread that runs it, for those who have none. Any thread may use the executor.
class io_thread {
 public:
  // Throws std::system_error if there is no thread to be had.
  io_thread() : thread_([this] { context_.run(); }) {}
  io_thread(const io_thread&) = delete;
  io_thread& operator=(const io_thread&) = delete;

  // Ends the thread. Tasks that still wait for operations of it fail with usage_error.
  ~io_thread() {
    context_.stop();
    thread_.join();
  }

  using executor_type = boost::asio::io_context::executor_type;
  executor_type get_executor() noexcept { return context_.get_executor(); }
  boost::asio::io_context& context() noexcept { return context_; }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<executor_type> work_{context_.get_executor()};
  std::thread thread_;
};

struct disconnect_options {
  // A peer that has shut down its sending side, and may still read, counts as gone. (A client of HTTP seldom does that; one
  // that has died looks the same.)
  bool half_close = true;
  // How often to look where readiness does not tell: while bytes lie unread, or a half-closed peer may still go.
  duration interval = std::chrono::milliseconds(5);
};

// Until the peer of a connected stream socket has gone; nothing is read. To be raced with what is done for that peer:
//
//   co_await race(answer(request), until_disconnected(socket));
//
// What runs beside it may use the socket, from its executor. A peer behind a proxy is the proxy: honour a deadline too.
template <class Socket>
task<> until_disconnected(Socket& socket, disconnect_options options = {}) {
  for (;;) {
    co_await socket.async_wait(Socket::wait_read, use_task);
    const detail::peer_state seen = co_await detail::async_look_at_peer(socket, use_task);
    if (seen == detail::peer_state::gone ||
        (seen == detail::peer_state::half_closed && options.half_close)) {
      co_return;
    }
    co_await sleep_for(options.interval);
  }
}

}  // namespace coppice::inline v0

// Asio's customisation point for completion tokens.
template <class Executor, class... Results>
class boost::asio::async_result<coppice::use_task_t<Executor>, void(Results...)> {
 public:
  template <class Initiation, class... Args>
  static auto initiate(Initiation&& initiation, const coppice::use_task_t<Executor>& token,
                       Args&&... arguments) {
    return coppice::perform(coppice::detail::make_asio_operation<std::decay_t<Results>...>(
        token.executor(), std::forward<Initiation>(initiation), std::forward<Args>(arguments)...));
  }
};
