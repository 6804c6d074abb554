#include <coppice/error.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "tests/support/failing_new.h"

namespace {

struct my_exit {
  int status;
};

}  // namespace

// As error.h tells the owner of a foreign type to write it.
template <>
inline const bool coppice::is_fatal_error<my_exit> = coppice::register_fatal_error(typeid(my_exit));

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::failing_times;

struct derived_fatal : fatal_error {
  using fatal_error::fatal_error;
};
struct virtual_fatal : virtual fatal_error {
  virtual_fatal() : fatal_error("virtual") {}
};
class hidden_fatal : fatal_error {
 public:
  hidden_fatal() : fatal_error("hidden") {}
};
struct my_exit_heir : my_exit {};

template <class... E>
constexpr bool copied_without_throw =
    ((std::is_nothrow_copy_constructible_v<E> && std::is_nothrow_copy_assignable_v<E>) && ...);

TEST(Error, EveryTypeIsAnExceptionThatCanBeCopiedWithoutAThrow) {
  static_assert(copied_without_throw<usage_error, scope_closed, resource_exhausted, timeout_error,
                                     task_cancelled, operation_cancelled, start_error,
                                     restart_limit_exceeded, fatal_error>);
  static_assert(std::is_base_of_v<std::logic_error, usage_error>);
  static_assert(std::is_base_of_v<std::runtime_error, scope_closed>);
  static_assert(std::is_base_of_v<std::runtime_error, timeout_error>);
  static_assert(!std::is_base_of_v<std::runtime_error, task_cancelled>);
  SUCCEED();
}

TEST(Error, TextsAreAsGiven) {
  EXPECT_STREQ(usage_error("wrong").what(), "wrong");
  EXPECT_STREQ(scope_closed(std::string("closed")).what(), "closed");
  EXPECT_STREQ(resource_exhausted("full").what(), "full");
  EXPECT_STREQ(fatal_error("end").what(), "end");
}

TEST(TimeoutError, SaysHowLong) {
  EXPECT_STREQ(timeout_error(250ms).what(), "timed out after 250ms");
  EXPECT_STREQ(timeout_error(1500ms).what(), "timed out after 1.5s");
  EXPECT_STREQ(timeout_error(std::chrono::nanoseconds::max()).what(), "timed out");
  EXPECT_EQ(timeout_error(250ms).limit(), 250ms);
}

TEST(TaskCancelled, SaysWhichTaskAndWhy) {
  const task_cancelled error({cancel_kind::deadline, "too slow"}, task_id{12});
  EXPECT_STREQ(error.what(), "task 12 was cancelled: deadline: too slow");
  EXPECT_EQ(error.id(), task_id{12});
  EXPECT_EQ(error.reason().kind(), cancel_kind::deadline);
  EXPECT_EQ(error.reason().message(), "too slow");
}

TEST(TaskCancelled, OfAScopeSaysSo) {
  const task_cancelled error{cancel_kind::shutdown};
  EXPECT_STREQ(error.what(), "the scope was cancelled: shutdown");
  EXPECT_EQ(error.id(), task_id::none);
}

TEST(TaskCancelled, SharesItsTextWithItsCopies) {
  const task_cancelled error("too slow", task_id{12});
  const task_cancelled copy = error;
  EXPECT_EQ(copy.what(), error.what());
}

TEST(TaskCancelled, WithoutMemoryKeepsTheReason) {
  const cancel_reason reason(cancel_kind::deadline, "too slow");
  for (const failing_times times : {failing_times::once, failing_times::from_there_on}) {
    for (std::size_t k = 1; k != 5; ++k) {
      fail_allocation_at no_memory(k, failing_threads::caller, times);
      const task_cancelled error(reason, task_id{12});
      const operation_cancelled operation(reason);
      no_memory.stop();
      EXPECT_THAT(error.what(), HasSubstr("cancelled"));
      EXPECT_THAT(operation.what(), HasSubstr("cancelled"));
      EXPECT_EQ(error.id(), task_id{12});
      EXPECT_EQ(error.reason().message(), "too slow");
      EXPECT_EQ(operation.reason().message(), "too slow");
    }
  }
}

TEST(OperationCancelled, SaysWhy) {
  const operation_cancelled error({cancel_kind::shutdown, "going down"});
  EXPECT_STREQ(error.what(), "the operation was cancelled: shutdown: going down");
  EXPECT_EQ(error.reason().message(), "going down");
}

TEST(StartError, SaysWhichChildAndWhatItDid) {
  const auto cause = std::make_exception_ptr(std::runtime_error("no port"));
  const start_error failed("listener", cause);
  EXPECT_STREQ(failed.what(), "child \"listener\" ended before it said started(): no port");
  EXPECT_EQ(failed.cause(), cause);
  const start_error returned("listener", nullptr);
  EXPECT_STREQ(returned.what(), "child \"listener\" ended before it said started(): it returned");
  EXPECT_EQ(returned.cause(), nullptr);
}

TEST(RestartLimitExceeded, NamesSupervisorAndChild) {
  const auto cause = std::make_exception_ptr(42);
  const restart_limit_exceeded error("jobs", "worker", 4, cause);
  EXPECT_STREQ(
      error.what(),
      "supervisor \"jobs\" gave up: child \"worker\" was restarted too often (4 times), the "
      "last time after: int");
  EXPECT_EQ(error.child(), "worker");
  EXPECT_EQ(error.restarts(), 4u);
  EXPECT_EQ(error.cause(), cause);
  EXPECT_EQ(restart_limit_exceeded("", "", 0, nullptr).child(), "");
}

TEST(RestartLimitExceeded, KeepsTheNameInItsCopies) {
  restart_limit_exceeded copy("a", "b", 1, nullptr);
  {
    const restart_limit_exceeded error("jobs", "a child with a long name, not kept in place", 4,
                                       nullptr);
    copy = error;
  }
  EXPECT_EQ(copy.child(), "a child with a long name, not kept in place");
}

TEST(FatalError, IsKnownByItsTypeAndItsHeirs) {
  EXPECT_TRUE(is_fatal(std::make_exception_ptr(fatal_error("end"))));
  EXPECT_TRUE(is_fatal(std::make_exception_ptr(derived_fatal("end"))));
  EXPECT_TRUE(is_fatal(std::make_exception_ptr(virtual_fatal())));
  EXPECT_FALSE(is_fatal(std::make_exception_ptr(hidden_fatal())))
      << "a catch would not find it either";
  EXPECT_FALSE(is_fatal(std::make_exception_ptr(std::runtime_error("a common one"))));
  EXPECT_FALSE(is_fatal(std::make_exception_ptr(42)));
  EXPECT_FALSE(is_fatal(nullptr));
}

TEST(FatalError, IsAlsoWhatWasRegistered) {
  EXPECT_TRUE(is_fatal_error<my_exit>);
  EXPECT_TRUE(is_fatal_error<fatal_error>);
  EXPECT_FALSE(is_fatal_error<std::runtime_error>);
  EXPECT_TRUE(is_fatal(std::make_exception_ptr(my_exit{1})));
  EXPECT_TRUE(is_fatal(std::make_exception_ptr(my_exit_heir{{1}})));
}

struct registered_pointee {};

TEST(FatalError, MayBeOfAnyType) {
  registered_pointee object;
  EXPECT_FALSE(is_fatal(std::make_exception_ptr(&object)));
  EXPECT_TRUE(register_fatal_error(typeid(const registered_pointee*)));
  EXPECT_TRUE(is_fatal(std::make_exception_ptr(&object)));
}

template <int number>
struct numbered {};

template <int... numbers>
void register_all(std::integer_sequence<int, numbers...>) {
  (register_fatal_error(typeid(numbered<numbers>)), ...);
}
template <int... numbers>
bool all_fatal(std::integer_sequence<int, numbers...>) {
  return (is_fatal(std::make_exception_ptr(numbered<numbers>())) && ...);
}

// FE1
TEST(FatalError, TypesAreRegisteredFromManyThreadsWhileOthersAsk) {
  constexpr auto numbers = std::make_integer_sequence<int, 40>();
  const auto common = std::make_exception_ptr(42);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i != 2; ++i) {
      threads.emplace_back([&] { register_all(numbers); });
      threads.emplace_back([&] {
        while (!all_fatal(numbers)) {
          EXPECT_FALSE(is_fatal(common));
        }
      });
    }
  }
  EXPECT_FALSE(is_fatal(common));
}

}  // namespace
}  // namespace coppice
