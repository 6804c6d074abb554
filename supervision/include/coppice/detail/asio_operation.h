// What use_task makes of an operation of Boost.Asio: one that perform() awaits.
#pragma once

#include <coppice/awaiter.h>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

// Stands for the executor of the object that initiates an operation.
struct own_executor {};

template <class Initiation>
concept tells_executor = requires(const Initiation& initiation) { initiation.get_executor(); };

// What an operation completes with: `error`, if it says so at all, and what its await gives.
template <class... Results>
struct asio_results {
  using value_type = std::tuple<Results...>;
  static value_type value(Results... results) { return value_type(std::move(results)...); }
};
template <>
struct asio_results<> {
  using value_type = void;
};
template <class Result>
struct asio_results<Result> {
  using value_type = Result;
  static Result value(Result result) { return result; }
};

// Whether what came first is an error, and which: an empty pointer if it is none.
template <class First>
inline constexpr bool is_asio_error =
    std::is_same_v<First, boost::system::error_code> || std::is_same_v<First, std::exception_ptr>;

inline std::exception_ptr asio_failure(const std::exception_ptr& error) noexcept {
  return error;
}
inline std::exception_ptr asio_failure(const boost::system::error_code& error) noexcept {
  return error ? std::make_exception_ptr(boost::system::system_error(error)) : nullptr;
}

// Does it say that the operation was cancelled?
inline bool is_asio_abort(const boost::system::error_code& error) noexcept {
  return error == boost::asio::error::operation_aborted;
}
inline bool is_asio_abort(const std::exception_ptr& error) noexcept {
  if (error == nullptr) {
    return false;
  }
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& thrown) {
    return is_asio_abort(thrown.code());
  } catch (...) {
    return false;
  }
}

// How a stop reaches an operation. All but the constructor and destructor run on the operation's executor, one call at a
// time; so cancel() and completion need no more to agree on who was first.
class asio_stop {
 public:
  boost::asio::cancellation_slot slot() noexcept { return signal_.slot(); }
  bool asked() const noexcept { return asked_; }
  void over() noexcept { over_ = true; }

  void cancel() {
    asked_ = true;
    if (!over_) {
      signal_.emit(boost::asio::cancellation_type::all);
    }
  }

 private:
  boost::asio::cancellation_signal signal_;
  bool asked_ = false;
  bool over_ = false;
};

// The completion handler.
template <class Executor, class T, class... Results>
class asio_handler {
 public:
  asio_handler(Executor executor, std::shared_ptr<asio_stop> stop, completion<T> done)
      : executor_(std::move(executor)), stop_(std::move(stop)), done_(std::move(done)) {}

  using executor_type = Executor;
  executor_type get_executor() const noexcept { return executor_; }

  using cancellation_slot_type = boost::asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept { return stop_->slot(); }

  void operator()(Results... results) const {
    stop_->over();
    if constexpr (sizeof...(Results) == 0) {
      done_.complete();
    } else {
      complete(std::move(results)...);
    }
  }

 private:
  template <class First, class... Rest>
  void complete(First first, Rest... rest) const {
    if constexpr (!is_asio_error<First>) {
      done_.complete(asio_results<First, Rest...>::value(std::move(first), std::move(rest)...));
    } else if (stop_->asked() && is_asio_abort(first)) {
      done_.stopped();
    } else if (const std::exception_ptr failure = asio_failure(first)) {
      done_.fail(failure);
    } else if constexpr (sizeof...(Rest) == 0) {
      done_.complete();
    } else {
      done_.complete(asio_results<Rest...>::value(std::move(rest)...));
    }
  }

  Executor executor_;
  std::shared_ptr<asio_stop> stop_;
  completion<T> done_;
};

template <class... Results>
struct asio_value {
  using type = typename asio_results<Results...>::value_type;
};
template <class First, class... Rest>
  requires is_asio_error<First>
struct asio_value<First, Rest...> {
  using type = typename asio_results<Rest...>::value_type;
};

// An operation that has been asked for, and is initiated when it is awaited, with copies of what it was asked for with.
template <class Executor, class Initiation, class Arguments, class... Results>
class asio_operation {
 public:
  using value_type = typename asio_value<Results...>::type;
  static constexpr const char* wait_name = "asio";

  template <class I, class... Args>
  asio_operation(Executor executor, I&& initiation, Args&&... arguments)
      : executor_(std::move(executor)),
        initiation_(std::forward<I>(initiation)),
        arguments_(std::forward<Args>(arguments)...) {}

  // What completes it, or withdraws it, is the last to touch it.
  void start(completion<value_type> done) {
    static_assert(knows_executor,
                  "what is initiated does not tell its executor: say use_task(executor)");
    stop_ = std::make_shared<asio_stop>();
    boost::asio::post(executor_, [this, stop = stop_, done = std::move(done)] {
      if (stop->asked()) {
        stop->over();
        done.stopped();
        return;
      }
      try {
        initiate(handler(executor_, stop, done));
      } catch (...) {
        stop->over();
        done.fail(std::current_exception());
      }
    });
  }

  void cancel() noexcept {
    if constexpr (knows_executor) {
      try {
        boost::asio::post(executor_, [stop = stop_] { stop->cancel(); });
      } catch (...) {
        return;  // Without memory the stop does not reach it: it goes on to its end.
      }
    }
  }

 private:
  using handler = asio_handler<Executor, value_type, Results...>;

  // Asio asks for the type of what nobody awaits, with initiations that are none.
  static constexpr bool knows_executor = !std::is_same_v<Executor, own_executor>;

  void initiate(handler to_call) {
    std::apply(
        [&](auto&... arguments) {
          std::move(initiation_)(std::move(to_call), std::move(arguments)...);
        },
        arguments_);
  }

  Executor executor_;
  Initiation initiation_;
  Arguments arguments_;
  std::shared_ptr<asio_stop> stop_;  // start().
};

// The executor given, or else that which the initiation tells; itself, if it tells none.
template <class Executor, class Initiation>
auto asio_executor(const Executor& given, const Initiation& initiation) {
  if constexpr (std::is_same_v<Executor, own_executor> && tells_executor<Initiation>) {
    return initiation.get_executor();
  } else {
    return given;
  }
}

template <class... Results, class Executor, class Initiation, class... Args>
auto make_asio_operation(const Executor& given, Initiation&& initiation, Args&&... arguments) {
  auto executor = asio_executor(given, std::as_const(initiation));
  return asio_operation<decltype(executor), std::decay_t<Initiation>,
                        std::tuple<std::decay_t<Args>...>, Results...>(
      std::move(executor), std::forward<Initiation>(initiation), std::forward<Args>(arguments)...);
}

}  // namespace coppice::inline v0::detail
