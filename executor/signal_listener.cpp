// The handler of signals, and the list of those who listen.
#include <coppice/detail/signal_listener.h>

#include "executor/process_locks.h"

#include <coppice/error.h>

#include <pthread.h>
#include <unistd.h>
#include <csignal>
#include <cstring>

#include <array>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

namespace coppice::inline v0::detail {

namespace {

constexpr std::size_t most_signals = 64;

constinit atomic<signal_listener*> first{nullptr};  // Under the lock; handlers read it.
constinit atomic<int> handlers{0};                  // That are under way.
constinit atomic<std::uint64_t> reset{0};           // Signals whose default a handler has put back.

// By number, less one. Under the lock, but for handlers, which run only while there is a user.
constinit std::array<std::uint32_t, most_signals> users{};
std::array<struct sigaction, most_signals> before;

// In the child of a fork() there is one thread, and no handler of the parent's.
[[maybe_unused]] const bool forgets_handlers =
    pthread_atfork(nullptr, nullptr, [] { handlers.store(0, std::memory_order_relaxed); }) == 0;

std::size_t place_of(int number) noexcept {
  return static_cast<std::size_t>(number) - 1;
}

bool can_be_heard(int number) noexcept {
  switch (number) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
      return false;
    default:
      return (number >= 1 && number <= 31) || (number >= SIGRTMIN && number <= SIGRTMAX);
  }
}

struct sigaction action_of(void (*handler)(int)) noexcept {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigfillset(&action.sa_mask);  // One at a time on each thread.
  return action;
}

bool is(const struct sigaction& action, void (*handler)(int)) noexcept {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == handler;
}

}  // namespace

signal_set::signal_set(std::initializer_list<int> numbers, const char* call) {
  for (const int number : numbers) {
    if (!can_be_heard(number)) {
      const char* const name = number > 0 ? sigabbrev_np(number) : nullptr;
      throw usage_error(std::string(call) + " for signal " + std::to_string(number) +
                        (name != nullptr ? std::string(" (SIG") + name + ')' : std::string()) +
                        ", which is none, cannot be caught, or is raised by a fault");
    }
    bits |= bit_of(number);
  }
}

void signal_listener::listen(signal_set wanted, manner how) noexcept {
  const std::lock_guard lock(mutex_of(process_lock::signals));
  how_ = how;
  process_ = ::getpid();
  wanted.for_each([&](int number) {
    struct sigaction now = {};
    ::sigaction(number, nullptr, &now);
    if (how.leave_ignored && is(now, SIG_IGN)) {
      return;
    }
    wanted_.bits |= signal_set::bit_of(number);
    if (users[place_of(number)]++ == 0) {
      before[place_of(number)] = now;
    }
  });
  next_.store(first.load(std::memory_order_relaxed), std::memory_order_relaxed);
  first.store(this, std::memory_order_seq_cst);  // SL1 SL2
  const struct sigaction ours = action_of(&signal_listener::handle);
  wanted_.for_each([&](int number) { ::sigaction(number, &ours, nullptr); });
}

// Handlers that come now do not find it any more; then those that have are awaited, which may still reset signals.
signal_set signal_listener::leave() noexcept {
  const std::lock_guard lock(mutex_of(process_lock::signals));
  atomic<signal_listener*>* link = &first;
  for (signal_listener* each = nullptr;
       (each = link->load(std::memory_order_relaxed)) != this && each != nullptr;) {
    link = &each->next_;
  }
  link->store(next_.load(std::memory_order_relaxed), std::memory_order_seq_cst);  // SL1 SL2
  while (handlers.load(std::memory_order_seq_cst) > 0) {                          // SL1
    std::this_thread::yield();
  }
  signal_set unheard;
  wanted_.for_each([&](int number) {
    if (--users[place_of(number)] == 0) {
      put_back(number);
      unheard.bits |= signal_set::bit_of(number);
    }
  });
  return unheard;
}

void signal_listener::put_back(int number) noexcept {
  const bool was_reset = (reset.fetch_and(~signal_set::bit_of(number), std::memory_order_relaxed) &
                          signal_set::bit_of(number)) != 0;
  struct sigaction now = {};
  ::sigaction(number, nullptr, &now);
  if (is(now, &signal_listener::handle) || (was_reset && is(now, SIG_DFL))) {
    ::sigaction(number, &before[place_of(number)], nullptr);
  }
}

void signal_listener::handle(int number) noexcept {
  const int error = errno;
  handlers.fetch_add(1, std::memory_order_seq_cst);  // SL1
  const pid_t process = ::getpid();
  bool told = false;
  for (signal_listener* each = first.load(std::memory_order_seq_cst); each != nullptr;  // SL1 SL2
       each = each->next_.load(std::memory_order_seq_cst)) {                            // SL1 SL2
    if (!each->wanted_.contains(number) || each->process_ != process) {
      continue;
    }
    told = true;
    each->come(number);
    if (each->how_.only_first) {
      const struct sigaction usual = action_of(SIG_DFL);
      reset.fetch_or(each->wanted_.bits, std::memory_order_relaxed);
      each->wanted_.for_each([&](int every) { ::sigaction(every, &usual, nullptr); });
    }
  }
  if (!told) {
    ::sigaction(number, &before[place_of(number)], nullptr);
    ::raise(number);
  }
  handlers.fetch_sub(1, std::memory_order_release);  // SL1
  errno = error;
}

}  // namespace coppice::inline v0::detail
