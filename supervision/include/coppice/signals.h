// Signals of the process: awaited by a task, or as a request to shut down.
//
// Each who listens is told, whatever others do. What a signal did before is put back when the last who listened to it
// goes, unless somebody else has changed that meanwhile. The handler takes no lock and allocates nothing.
//
// In the child of a fork() nobody listens who did in the parent: signals do there what they did before.
#pragma once

#include <coppice/awaiter.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/job.h>
#include <coppice/detail/signal_listener.h>
#include <coppice/site.h>

#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <optional>

namespace coppice::inline v0 {

class executor;
class runtime;
class signal_receiver;

namespace detail {

// The wait for the next one. A handler queues it, so that a worker looks what has come.
class COPPICE_EXPORT signal_wait : job {
 public:
  using value_type = int;
  static constexpr const char* wait_name = "signal";

  explicit signal_wait(signal_receiver& of) noexcept : of_(of) {}
  signal_wait(signal_wait&& other) noexcept : of_(other.of_) {}  // Before start().
  signal_wait& operator=(signal_wait&&) = delete;
  ~signal_wait();

  void start(completion<int> done);
  void cancel() noexcept;

 private:
  friend class coppice::signal_receiver;

  void look() noexcept;

  signal_receiver& of_;
  executor* home_ = nullptr;  // start().
  completion<int> done_;      // The wait's owner's.
};

}  // namespace detail

// While it lives the signals come here and do nothing else; they are kept until somebody takes them, but several of one
// number as one. Those that nobody has taken at its end are raised again, unless others listen to them as well.
//   co::signal_receiver stop({SIGINT, SIGTERM});
//   const int which = co_await stop.next();
class COPPICE_EXPORT signal_receiver final : detail::signal_listener {
 public:
  // On any thread. usage_error for signals that cannot be caught, or that a fault raises.
  explicit signal_receiver(std::initializer_list<int> signals);

  // Terminates with a sentence while a task waits.
  ~signal_receiver();

  // Waits for a signal and gives its number; of several that have come the lowest. One task at a time, else usage_error.
  // A cancellation point; who is stopped has taken none.
  detail::perform_operation<detail::signal_wait> next(source_site site = source_site::current()) {
    return {detail::signal_wait(*this), site};
  }

  // Takes one that has come, if any. Any thread.
  std::optional<int> try_next() noexcept;

 private:
  friend class detail::signal_wait;

  void come(int number) noexcept override;

  // What has come, and in places of numbers that are no signal's how the wait stands; see signals.cpp.
  detail::atomic<std::uint64_t> state_{0};
  detail::atomic<bool> awaited_{false};  // There is a wait.
  detail::signal_wait* wait_ = nullptr;  // Whose that is.
};

// While it lives SIGINT and SIGTERM, or those given, request the runtime's shutdown; a second one of them kills, as it
// would have without. Those that are ignored stay so. It goes before the runtime does. coppice::run has one.
class COPPICE_EXPORT shutdown_on_signals final : detail::signal_listener {
 public:
  explicit shutdown_on_signals(runtime& of) : shutdown_on_signals(of, {SIGINT, SIGTERM}) {}
  shutdown_on_signals(runtime& of, std::initializer_list<int> signals);  // usage_error as above.
  ~shutdown_on_signals();

 private:
  void come(int number) noexcept override;

  runtime& of_;
};

}  // namespace coppice::inline v0
