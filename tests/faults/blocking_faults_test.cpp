#include <coppice/blocking.h>
#include <coppice/shield.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <stdexcept>
#include <string>

#include "tests/support/held_call.h"
#include "tests/support/tree_faults.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::held_call;
using testing_support::long_name;

class BlockingWithoutMemory : public testing_support::tree_without_memory {};

TEST_F(BlockingWithoutMemory, ACallIsMadeAndItsValueGivenOrTheAwaitThrows) {
  survives([]() -> task<> {
    int made = 0;
    std::string given;
    try {
      given = co_await spawn_blocking({.name = long_name}, [&] {
        ++made;
        return std::string(long_name);
      });
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(given.empty());
      throw;
    }
    EXPECT_EQ(made, 1);
    EXPECT_EQ(given, long_name);
  });
}

TEST_F(BlockingWithoutMemory, ATokenIsHadBeforeTheCallIsMade) {
  survives([]() -> task<> {
    bool made = false;
    bool given = false;
    const auto call = [&](const cancel_token&) { made = true; };
    try {
      co_await spawn_blocking(blocking_options{.name = long_name}, call);
      given = true;
    } catch (const std::bad_alloc&) {
      EXPECT_FALSE(made);
    }
    EXPECT_EQ(made, given);
  });
}

TEST_F(BlockingWithoutMemory, ACallThatIsLeftEndsAndIsReported) {
  survives([]() -> task<> {
    held_call call;
    const auto fails = [&] {
      call();
      throw std::runtime_error("late");
    };
    const auto leaving = [&]() -> task<> {
      co_await spawn_blocking({.name = long_name, .on_cancel = blocking_cancel::detach}, fails);
    };
    co_await as_result(move_on_after(1us, leaving));
    call.release();
    while (!detail::blocking_calls(detail::current_executor("test")).empty()) {
      co_await yield();
    }
  });
}

}  // namespace
}  // namespace coppice
