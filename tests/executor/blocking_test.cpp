#include <coppice/blocking.h>

#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <concepts>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "tests/support/accounting.h"
#include "tests/support/manual_operation.h"

namespace coppice {
namespace {

using testing_support::accounted_executor;

class Blocking : public testing_support::accounted_test {};

template <class F>
using given = awaited_t<decltype(spawn_blocking(std::declval<F>()))>;

struct takes_both {
  int operator()() const { return 0; }
  std::string operator()(const cancel_token&) const { return {}; }
};

TEST_F(Blocking, GivesWhatTheCallableGives) {
  static_assert(std::same_as<given<int (*)()>, int>);
  static_assert(std::same_as<given<void (*)()>, void>);
  static_assert(std::same_as<given<int& (*)()>, int&>);
  static_assert(std::same_as<given<long (*)(cancel_token)>, long>);
  static_assert(std::same_as<given<takes_both>, int>);  // Without a token if it can do without.
}

TEST_F(Blocking, MovesWhatItIsToldTo) {
  accounted_executor tasks({.threads = 1});
  auto holder = [value = std::make_unique<int>(4)] { return *value; };
  const int seen =
      tasks.block_on([&]() -> task<int> { co_return co_await spawn_blocking(moved(holder)); });
  EXPECT_EQ(seen, 4);
}

TEST_F(Blocking, IsCalledByTheNameThatTheTaskGivesIt) {
  accounted_executor tasks({.threads = 1});
  std::promise<void> go_on;
  const task_handle<> waiting = tasks.spawn([&]() -> task<> {
    describe_wait("reading the prices");
    co_await spawn_blocking([&] { go_on.get_future().wait(); });
  });
  testing_support::wait_until_suspended(waiting);
  EXPECT_STREQ(detail::handle_access::cell(waiting, "test").waiting_for(), "reading the prices");
  go_on.set_value();
  tasks.wait_until_idle();
}

struct throws_when_moved {
  throws_when_moved() = default;
  throws_when_moved(throws_when_moved&& other) : moves(other.moves + 1) {
    if (moves == 2) {
      throw std::runtime_error("moved too often");
    }
  }
  int moves = 0;
};

TEST_F(Blocking, AValueThatCannotBeMovedIsAFailure) {
  accounted_executor tasks({.threads = 1});
  EXPECT_THROW(tasks.block_on(
                   []() -> task<> { co_await spawn_blocking([] { return throws_when_moved(); }); }),
               std::runtime_error);
}

TEST_F(Blocking, OutsideATaskNothingIsCalled) {
  bool called = false;
  static_cast<void>(spawn_blocking([&] { called = true; }));
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace coppice
