// Settings of a runtime: what is set in code goes before the environment, which goes before the
// default.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/export.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string_view>

namespace coppice::inline v0 {

// What becomes of a failure that nobody took: printed to stderr, printed and then std::terminate,
// or dropped.
enum class on_unhandled { report, terminate, silent };

// Who runs the algorithms of <coppice/tbb.h>: the runtime's workers, or oneTBB's own threads beside them.
enum class tbb_threads { share, off };

namespace detail {

// Where each value of a resolved set of options came from, beside a fingerprint of the value, so
// that a field changed later counts as set in code. All zero: every field that is set was set in
// code.
struct option_origins {
  std::array<std::uint32_t, 24> marks = {};
};

}  // namespace detail

// A field left empty is taken, when the runtime starts, from the environment variable beside it,
// else from the default. The environment is read then, once, and strings are copied then.
//
// A value out of range in code is a usage_error from the runtime's constructor. In a variable it is
// one line on stderr and as if unset, or a usage_error if `strict`. The README lists the variables
// with their defaults and ranges.
struct COPPICE_EXPORT options {
  // COPPICE_THREADS, 1..1024: workers. Default: as many as there are CPUs in the affinity mask of
  // the thread that starts the runtime (or in pin's list), but no more than the cgroup's CPU quota
  // rounded up, and at least 1.
  std::optional<unsigned> threads = {};

  // COPPICE_PIN: "none"; "compact", worker i on the i-th CPU of the affinity mask; or "list:0-3,8",
  // worker i on the i-th of these, which the mask must contain. With more workers than CPUs both
  // begin again.
  std::optional<std::string_view> pin = {};

  // COPPICE_SPIN, 0..10ms: how long an idle worker goes on searching before it parks. Default: 20us,
  // but 0 where the workers outnumber the CPUs or exceed the quota, and spinning would take time
  // from each other.
  std::optional<duration> spin = {};

  // COPPICE_YIELD_BUDGET, 1..65535: awaits that were ready at once before a task must yield.
  std::optional<unsigned> yield_budget = {};

  // COPPICE_MAX_TASKS, at least 1: live tasks of the runtime; beyond it spawn throws
  // resource_exhausted. Default: the largest std::size_t, which is no limit.
  std::optional<std::size_t> max_tasks = {};

  // COPPICE_FRAME_CACHE, 0..64M bytes: memory for frames that an idle worker keeps.
  std::optional<std::size_t> frame_cache = {};

  // COPPICE_STACK_SIZE, 64K..64M bytes: the stack of a worker. Default: what the system gives a new
  // thread, whatever that is.
  std::optional<std::size_t> stack_size = {};

  // COPPICE_BLOCKING_THREADS, 1..4096: the most threads of spawn_blocking.
  std::optional<unsigned> blocking_threads = {};

  // COPPICE_SHUTDOWN_TIMEOUT, 0..forever: how long a shutdown waits before it reports the stuck.
  std::optional<duration> shutdown_timeout = {};

  // COPPICE_WATCHDOG, 1ms..1h: report a task that holds a worker longer. forever: off.
  std::optional<duration> watchdog = {};

  // COPPICE_CANCEL_WATCHDOG, 1ms..1h: report a task still alive so long after its cancel, or an
  // eighth of that later. forever: off.
  std::optional<duration> cancel_watchdog = {};

  // COPPICE_UNHANDLED
  std::optional<on_unhandled> unhandled = {};

  // COPPICE_DEBUG: keep backtraces of spawn and of the canceller.
  std::optional<bool> debug = {};

  // COPPICE_TBB
  std::optional<tbb_threads> tbb = {};

  // COPPICE_STRICT: a bad or unknown COPPICE_* variable is an error.
  std::optional<bool> strict = {};

  // The library's own, for operator<<; leave it as it is.
  detail::option_origins origins = {};

  // Every field that the environment sets now, the others empty; also those for which the
  // environment asks for the default in so many words ("auto", "system"). `pin` points into the
  // environment: copy it if you go on to change COPPICE_PIN. Warns like the start of a runtime;
  // usage_error for a bad or unknown variable under COPPICE_STRICT.
  static options from_env();
};

// What a runtime started with these options would use; for a runtime's effective options, what it
// uses. One line a setting: COPPICE_NAME='value' [code|env|default]. Reads the environment for
// empty fields; neither throws nor warns about bad values, but prints them as they are.
COPPICE_EXPORT std::ostream& operator<<(std::ostream& out, const options& settings);

}  // namespace coppice::inline v0
