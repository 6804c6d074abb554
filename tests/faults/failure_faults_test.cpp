// Failures when there is no memory: each is thrown or reported, once.
#include <coppice/exception_group.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/supervisor.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <new>

#include "tests/support/tree_faults.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::long_name;
using testing_support::spare_allocations;

class FailuresWithoutMemory : public testing_support::tree_without_memory {};

struct planned {
  std::size_t id;
};

// Who has been thrown, and how often each was seen by anybody.
struct failures_seen {
  static constexpr std::size_t count = 4;
  std::array<std::atomic<int>, count> thrown{};
  std::array<std::atomic<int>, count> seen{};

  void clear() {
    for (std::size_t i = 0; i != count; ++i) {
      thrown[i] = 0;
      seen[i] = 0;
    }
  }

  void see(const error_entry& entry) {
    const spare_allocations spared;
    if (const auto* const group = entry.get_if<exception_group>()) {
      for (const group_leaf& leaf : group->leaves()) {
        see(leaf.entry);
      }
    } else if (const auto* const failure = entry.get_if<planned>()) {
      seen[failure->id].fetch_add(1);
    }
  }

  void expect_each_once() const {
    for (std::size_t i = 0; i != count; ++i) {
      EXPECT_EQ(seen[i].load(), thrown[i].load()) << i;
    }
  }

  task<> fail(std::size_t id) {
    co_await yield();
    thrown[id].fetch_add(1);
    throw planned{id};
  }

  std::function<void(runtime&)> listening() {
    return [this](runtime& rt) {
      clear();
      rt.set_error_handler([this](const error_report& report) { see(report.entry); });
    };
  }
};

TEST_F(FailuresWithoutMemory, AGroupLosesNoFailure) {
  for (const on_child_failure policy :
       {on_child_failure::cancel_all, on_child_failure::collect_all}) {
    failures_seen all;
    survives(
        [&]() -> task<> {
          const auto body = [&](task_group& g) -> task<> {
            for (std::size_t i = 0; i != failures_seen::count; ++i) {
              g.spawn(all.fail(i));
            }
            co_return;
          };
          std::exception_ptr error;
          try {
            co_await with_group({.name = long_name, .on_failure = policy}, body);
          } catch (...) {
            error = std::current_exception();
          }
          all.see(error_entry(error));
          all.expect_each_once();
        },
        all.listening());
  }
}

TEST_F(FailuresWithoutMemory, ASupervisorReportsEachFailure) {
  failures_seen all;
  survives(
      [&]() -> task<> {
        const auto body = [&](supervisor& s) -> task<> {
          for (std::size_t i = 0; i != failures_seen::count; ++i) {
            s.spawn(all.fail(i));
          }
          co_return;
        };
        std::exception_ptr error;
        try {
          co_await with_supervisor({.name = long_name}, body);
        } catch (const std::bad_alloc&) {
          error = std::current_exception();
        }
        all.expect_each_once();
      },
      all.listening());
}

TEST_F(FailuresWithoutMemory, AGatherThrowsOneFailureAndReportsTheOthers) {
  failures_seen all;
  survives(
      [&]() -> task<> {
        std::exception_ptr error;
        try {
          co_await gather(all.fail(0), all.fail(1), all.fail(2));
        } catch (...) {
          error = std::current_exception();
        }
        all.see(error_entry(error));
        all.expect_each_once();
      },
      all.listening());
}

TEST_F(FailuresWithoutMemory, AGatherOfSoManyThrowsOneFailureAndReportsTheOthers) {
  failures_seen all;
  survives(
      [&]() -> task<> {
        const auto nth = [&](std::size_t i) { return all.fail(i); };
        std::exception_ptr error;
        try {
          co_await gather_n(failures_seen::count, nth);
        } catch (...) {
          error = std::current_exception();
        }
        all.see(error_entry(error));
        all.expect_each_once();
      },
      all.listening());
}

TEST_F(FailuresWithoutMemory, ABodysFailureIsThrownOrReportedBesideThoseOfItsChildren) {
  failures_seen all;
  survives(
      [&]() -> task<> {
        const auto body = [&](task_group& g) -> task<> {
          g.spawn(all.fail(0));
          g.spawn(all.fail(1));
          co_await all.fail(2);
        };
        std::exception_ptr error;
        try {
          co_await with_group({.name = long_name, .on_failure = on_child_failure::collect_all},
                              body);
        } catch (...) {
          error = std::current_exception();
        }
        all.see(error_entry(error));
        all.expect_each_once();
      },
      all.listening());
}

}  // namespace
}  // namespace coppice
