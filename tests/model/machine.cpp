// What the library asks of the system, answered for virtual threads by the execution: threads, locks, futexes, time.
//
// These take the place of the C library's functions of the same names, for the whole program; for whoever is not a
// virtual thread they call the originals.
#include "tests/model/execution.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <ctime>
#include <limits>
#include <optional>

using coppice_model::execution;

namespace {

template <class Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

constexpr std::int64_t ns_per_s = 1'000'000'000;

std::optional<std::int64_t> ns_of(const timespec* time) {
  if (time == nullptr) {
    return std::nullopt;
  }
  return time->tv_sec * ns_per_s + time->tv_nsec;
}

// Handles of virtual threads, which no address looks like.
constexpr pthread_t first_handle = 1;

bool is_virtual(pthread_t thread) {
  return thread >= first_handle && thread < first_handle + coppice_model::most_threads;
}

int wait_for_condition(execution& run, pthread_cond_t* condition, pthread_mutex_t* mutex,
                       std::optional<std::int64_t> deadline) {
  run.step();
  run.unlock(mutex);
  const bool woken = run.wait(condition, "a condition", deadline);
  run.lock(mutex);
  return woken ? 0 : ETIMEDOUT;
}

// The kernel's part: compares and goes to sleep in one.
long futex(execution& run, std::uint32_t* word, int operation, std::uint32_t value,
           const timespec* deadline) {
  run.step();
  switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
      if (*word != value) {
        errno = EAGAIN;
        return -1;
      }
      if (!run.wait(word, "a futex", ns_of(deadline))) {
        errno = ETIMEDOUT;
        return -1;
      }
      return 0;
    default:
      run.wake(word, value);
      return 0;
  }
}

}  // namespace

extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                   void* argument) noexcept {
  execution* const run = execution::current();
  if (run == nullptr) {
    static auto* const real = original<decltype(pthread_create)>("pthread_create");
    return real(thread, attributes, body, argument);
  }
  *thread = first_handle + run->start([body, argument] { body(argument); });
  return 0;
}

int pthread_join(pthread_t thread, void** result) {
  execution* const run = execution::current();
  if (run == nullptr || !is_virtual(thread)) {
    static auto* const real = original<decltype(pthread_join)>("pthread_join");
    return real(thread, result);
  }
  run->join(thread - first_handle);
  return 0;
}

int pthread_detach(pthread_t thread) noexcept {
  if (execution::current() != nullptr && is_virtual(thread)) {
    return 0;
  }
  static auto* const real = original<decltype(pthread_detach)>("pthread_detach");
  return real(thread);
}

int pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes) noexcept {
  execution* const run = execution::current();
  if (run == nullptr) {
    static auto* const real = original<decltype(pthread_getattr_np)>("pthread_getattr_np");
    return real(thread, attributes);
  }
  const auto [lowest, bytes] = run->stack();
  pthread_attr_init(attributes);
  return pthread_attr_setstack(attributes, lowest, bytes);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  if (execution* const run = execution::current()) {
    run->lock(mutex);
    return 0;
  }
  static auto* const real = original<decltype(pthread_mutex_lock)>("pthread_mutex_lock");
  return real(mutex);
}

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  if (execution* const run = execution::current()) {
    return run->try_lock(mutex) ? 0 : EBUSY;
  }
  static auto* const real = original<decltype(pthread_mutex_trylock)>("pthread_mutex_trylock");
  return real(mutex);
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  if (execution* const run = execution::current()) {
    run->unlock(mutex);
    return 0;
  }
  static auto* const real = original<decltype(pthread_mutex_unlock)>("pthread_mutex_unlock");
  return real(mutex);
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  if (execution* const run = execution::current()) {
    return wait_for_condition(*run, condition, mutex, std::nullopt);
  }
  static auto* const real = original<decltype(pthread_cond_wait)>("pthread_cond_wait");
  return real(condition, mutex);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* deadline) {
  if (execution* const run = execution::current()) {
    return wait_for_condition(*run, condition, mutex, ns_of(deadline));
  }
  static auto* const real = original<decltype(pthread_cond_timedwait)>("pthread_cond_timedwait");
  return real(condition, mutex, deadline);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* deadline) {
  if (execution* const run = execution::current()) {
    return wait_for_condition(*run, condition, mutex, ns_of(deadline));
  }
  static auto* const real = original<decltype(pthread_cond_clockwait)>("pthread_cond_clockwait");
  return real(condition, mutex, clock, deadline);
}

int pthread_cond_signal(pthread_cond_t* condition) noexcept {
  if (execution* const run = execution::current()) {
    run->step();
    run->wake(condition, 1);
    return 0;
  }
  static auto* const real = original<decltype(pthread_cond_signal)>("pthread_cond_signal");
  return real(condition);
}

int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
  if (execution* const run = execution::current()) {
    run->step();
    run->wake(condition, std::numeric_limits<std::size_t>::max());
    return 0;
  }
  static auto* const real = original<decltype(pthread_cond_broadcast)>("pthread_cond_broadcast");
  return real(condition);
}

int sched_yield() noexcept {
  if (execution* const run = execution::current()) {
    run->yield();
    return 0;
  }
  static auto* const real = original<decltype(sched_yield)>("sched_yield");
  return real();
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (execution* const run = execution::current()) {
    *time = {run->time_ns() / ns_per_s, run->time_ns() % ns_per_s};
    return 0;
  }
  static auto* const real = original<decltype(clock_gettime)>("clock_gettime");
  return real(clock, time);
}

long syscall(long number, ...) noexcept {
  long arguments[6];
  va_list list;
  va_start(list, number);
  for (long& each : arguments) {
    each = va_arg(list, long);
  }
  va_end(list);
  execution* const run = execution::current();
  if (run != nullptr && number == SYS_futex) {
    return futex(*run, reinterpret_cast<std::uint32_t*>(arguments[0]),
                 static_cast<int>(arguments[1]), static_cast<std::uint32_t>(arguments[2]),
                 reinterpret_cast<const timespec*>(arguments[3]));
  }
  static auto* const real = original<long(long, ...)>("syscall");
  return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
              arguments[5]);
}

}  // extern "C"
