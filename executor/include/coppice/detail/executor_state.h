// The inside of an executor, as far as its header must name it.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/export.h>

#include <cstdint>
#include <optional>

namespace coppice::inline v0::detail {

class executor_state;

struct COPPICE_EXPORT executor_state_deleter {
  void operator()(executor_state* state) const noexcept;
};

// How an executor for tests differs from others.
struct test_setup {
  bool virtual_time = true;
  bool autojump = true;                    // When all sleep, time goes to the next timer.
  std::optional<std::uint64_t> seed = {};  // One worker only: the order of jobs is drawn from it.
  bool needs_seed = false;                 // Without one: COPPICE_TEST_SEED, else any.
  bool shuffle = true;                     // With a seed: false runs jobs in order of arrival.
  duration patience = std::chrono::milliseconds(200);  // Of real time; see standstill.h.
  std::optional<duration> idle_blocking_threads = {};  // How long they stay; empty: as ever.
};

}  // namespace coppice::inline v0::detail
