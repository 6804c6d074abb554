// Counts what the process asks of operator new, and makes the k-th such request fail.
//
// A program that has failing_new.cpp among its sources gets its operators new and delete, all forms
// of them, for itself and for every shared library it uses. malloc and allocators on top of it are
// not touched; nor is the memory of a thrown exception, which does not come from operator new.
//
// One runtime does not let itself be replaced: ThreadSanitizer's, linked statically by clang. There
// all counts stay 0 and nothing fails; a test that needs a failure asks can_fail_allocations() and
// skips itself.
//
//     for_each_failing_allocation([](fail_allocation_at& failure) {
//       scenario();          // Must stay whole, whichever allocation fails.
//     });
#pragma once

#include <cstddef>

namespace coppice::testing_support {

bool can_fail_allocations() noexcept;
inline constexpr const char* why_none_can_fail =
    "this build's sanitizer has an operator new of its own, which cannot be made to fail";

// Requests so far, refused ones included: of all threads, and of the calling one. A request of
// another thread is counted for sure once that thread has been joined.
std::size_t allocations() noexcept;
std::size_t thread_allocations() noexcept;

// Blocks handed out and not given back, by all threads: for tests that nothing leaks.
std::size_t live_allocations() noexcept;

enum class failing_threads {
  all,    // The k-th request of any thread fails.
  caller  // Only requests of the thread that made the guard are looked at.
};

enum class failing_times {
  once,          // The k-th request fails, those behind it succeed.
  from_there_on  // The k-th and all behind it fail.
};

// While it lives, the k-th request from its making on fails: the throwing forms throw
// std::bad_alloc, the others return null. k = 0: none. One guard at a time in the process.
class [[nodiscard]] fail_allocation_at {
 public:
  explicit fail_allocation_at(std::size_t k, failing_threads threads = failing_threads::all,
                              failing_times times = failing_times::once) noexcept;
  ~fail_allocation_at();
  fail_allocation_at(const fail_allocation_at&) = delete;
  fail_allocation_at& operator=(const fail_allocation_at&) = delete;

  // Has a request been refused?
  bool reached() const noexcept;

  // Ends the failing before the guard's own end, say to look at results.
  void stop() noexcept;
};

// While it lives, requests of this thread succeed and do not move a guard's count: for what the
// test itself needs in the midst of a scenario. May be nested.
class [[nodiscard]] spare_allocations {
 public:
  spare_allocations() noexcept;
  ~spare_allocations();
  spare_allocations(const spare_allocations&) = delete;
  spare_allocations& operator=(const spare_allocations&) = delete;
};

// Runs the scenario with its first request failing, then its second, and so on, until it makes
// fewer. Returns how many failed. `at_most` ends one that asks for ever: then 0 is returned, which
// a test should refuse.
template <class Scenario>
std::size_t for_each_failing_allocation(Scenario&& scenario,
                                        failing_threads threads = failing_threads::all,
                                        failing_times times = failing_times::once,
                                        std::size_t at_most = 100'000) {
  for (std::size_t k = 1; k <= at_most; ++k) {
    fail_allocation_at failure(k, threads, times);
    scenario(failure);
    if (!failure.reached()) {
      return k - 1;
    }
  }
  return 0;
}

}  // namespace coppice::testing_support
