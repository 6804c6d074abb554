// The test kit over an executor on virtual time.
#include <coppice/testing.h>

#include <coppice/error.h>

#include <absl/strings/str_cat.h>

#include <cstdio>
#include <exception>
#include <sstream>

namespace coppice::inline v0 {

namespace {

std::string replay_text(std::uint64_t seed) {
  return absl::StrCat("coppice: the seed of this test_runtime was ", seed,
                      "; COPPICE_TEST_SEED=", seed, " sets it\n");
}

}  // namespace

time_point virtual_clock::now() const noexcept {
  return of_.now();
}
duration virtual_clock::elapsed() const noexcept {
  return now() - began_;
}
std::optional<time_point> virtual_clock::next_timer() const noexcept {
  return of_.next_timer();
}
std::size_t virtual_clock::pending_timers() const noexcept {
  return of_.pending_timers();
}

std::string test_runtime::kit::describe() const {
  std::ostringstream text;
  of.dump_tasks(text);
  return text.str() + replay_text(of.seed());
}

// With exceptions on their way, something has failed. Clean-ups of tasks may sleep, and nobody will
// call advance() any more.
test_runtime::~test_runtime() {
  if (beneath().forked() || beneath().on_own_worker()) {
    return;
  }
  if (std::uncaught_exceptions() > exceptions_before_) {
    std::fputs(replay_text(seed()).c_str(), stderr);
  }
  still_.let_time_go();
  shutdown();
  still_.wait_until_blocked();
  if (const std::size_t frames = live_frames(); frames != 0 && still_.alone()) {
    std::fprintf(stderr,
                 "coppice: at the end of a test_runtime %zu coroutine frame(s) are left alive: a "
                 "task that was "
                 "neither awaited, spawned nor destroyed, or a coroutine that nobody will resume. "
                 "Tasks:\n%s",
                 frames, kit_.describe().c_str());
    std::terminate();
  }
  still_.attach(nullptr);
}

std::uint64_t test_runtime::seed() const noexcept {
  return still_.seed();
}

void test_runtime::advance(duration d) {
  require_plain_thread("test_runtime::advance()");
  still_.advance(d);
}

void test_runtime::run_until_blocked() {
  require_plain_thread("test_runtime::run_until_blocked()");
  still_.wait_until_blocked();
}

bool test_runtime::deadlocked() const noexcept {
  return still_.deadlocked();
}
std::size_t test_runtime::live_frames() const noexcept {
  return still_.live_frames();
}

void test_runtime::require_plain_thread(const char* call) const {
  if (detail::this_worker() != nullptr) {
    throw usage_error(
        absl::StrCat(call,
                     " on a worker: it would wait for the task that calls it; co_await "
                     "coppice::advance() or wait_all_tasks_blocked() instead"));
  }
}

detail::blocked_operation wait_all_tasks_blocked() {
  return detail::blocked_operation(detail::blocked_source(
      detail::current_standstill("wait_all_tasks_blocked()"), time_point::min()));
}

detail::advance_operation advance(duration d) {
  detail::standstill& still = detail::current_standstill("advance()");
  return detail::advance_operation(detail::advance_source(still, still.instant_behind(d)));
}

virtual_clock& test_clock() {
  const detail::test_kit* const kit = detail::current_standstill("test_clock()").kit();
  if (kit == nullptr) {
    throw usage_error("test_clock() in a task of an executor, which has none: make a test_runtime");
  }
  return static_cast<const test_runtime::kit&>(*kit).of.clock();
}

}  // namespace coppice::inline v0
