// Runs something of the tree with each of its allocations failing in turn.
#pragma once

#include <coppice/error.h>
#include <coppice/exception_group.h>
#include <coppice/runtime.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <new>

#include "tests/support/accounted_runtime.h"
#include "tests/support/failing_new.h"

namespace coppice::testing_support {

inline constexpr const char* long_name = "a name that needs memory of its own";

inline task<> sleeping_for_ever() {
  co_await sleep_for(forever);
}

// Nothing but std::bad_alloc, by itself, in groups, or as why a child could not be started.
inline bool is_want_of_memory(const error_entry& entry) {
  if (const auto* const start = entry.get_if<start_error>()) {
    return start->cause() != nullptr && is_want_of_memory(error_entry(start->cause()));
  }
  if (const auto* const group = entry.get_if<exception_group>()) {
    for (const group_leaf& leaf : group->leaves()) {
      if (leaf.entry.get_if<std::bad_alloc>() == nullptr) {
        return false;
      }
    }
    return true;
  }
  return entry.get_if<std::bad_alloc>() != nullptr;
}

// Caches of the process fill, and are kept: a leak is what grows with each pass.
class tree_without_memory : public accounted_test {
 protected:
  using main_body = std::function<task<>()>;

  void SetUp() override {
    if (!can_fail_allocations()) {
      GTEST_SKIP() << why_none_can_fail;
    }
  }

  // Runs it as the main of a runtime, which is made while memory is there, with each of its allocations failing in turn.
  void survives(const main_body& main, const std::function<void(runtime&)>& prepare = {}) {
    testing::internal::CaptureStderr();
    std::size_t failed = run_all(main, prepare);
    bool grows = true;
    for (int pass = 0; pass != 5 && grows; ++pass) {
      const std::size_t before = left_behind(main, prepare);
      failed = run_all(main, prepare);
      grows = left_behind(main, prepare) > before;
    }
    EXPECT_FALSE(grows) << "leaked";
    testing::internal::GetCapturedStderr();
    EXPECT_GT(failed, 0u);
  }

 private:
  static void run(const main_body& main, const std::function<void(runtime&)>& prepare) {
    std::unique_ptr<accounted_runtime> rt;
    {
      const spare_allocations spared;
      rt = std::make_unique<accounted_runtime>(options{.threads = 1});
      if (prepare) {
        prepare(*rt);
      }
    }
    try {
      rt->block_on(std::cref(main));
    } catch (...) {
      const spare_allocations spared;
      EXPECT_TRUE(is_want_of_memory(error_entry(std::current_exception())));
    }
  }

  static std::size_t run_all(const main_body& main, const std::function<void(runtime&)>& prepare) {
    return for_each_failing_allocation([&](fail_allocation_at&) { run(main, prepare); },
                                       failing_threads::all, failing_times::once, 5'000);
  }

  static std::size_t left_behind(const main_body& main,
                                 const std::function<void(runtime&)>& prepare) {
    run(main, prepare);
    return live_allocations();
  }
};

}  // namespace coppice::testing_support
