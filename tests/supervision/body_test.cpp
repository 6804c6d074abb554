#include <coppice/detail/body.h>
#include <coppice/scope.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <memory>

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

task<int> seven() {
  co_return 7;
}

TEST(Body, IsATaskOrACallableWithOrWithoutWhatItMayTake) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    int given = 3;
    task<int> as_task = seven();
    EXPECT_EQ((co_await start_body<int, task<int>>(as_task, given)), 7);
    auto with = [](int& x) -> task<int> { co_return x; };
    EXPECT_EQ((co_await start_body<int, decltype(with)>(with, given)), 3);
    auto without = []() -> task<int> { co_return 5; };
    EXPECT_EQ((co_await start_body<int, decltype(without)>(without, given)), 5);
  });
}

TEST(Body, MayBeAnyAwaitable) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    auto sleeping = sleep_for(1s);
    co_await start_body<void, decltype(sleeping)>(sleeping);
    EXPECT_EQ(test_clock().elapsed(), 1s);
    task_handle<int> handle = spawn(seven());
    const int& value = co_await start_body<const int&, task_handle<int>&>(handle);
    EXPECT_EQ(value, 7);
  });
}

TEST(Body, IsKeptByReferenceIfItIsNamedAndElseMovedIn) {
  auto owned = std::make_unique<int>(1);
  kept_body<std::unique_ptr<int>&> named(owned);
  EXPECT_EQ(&named.get(), &owned);
  kept_body<std::unique_ptr<int>> given(std::move(owned));
  EXPECT_EQ(*given.get(), 1);
}

}  // namespace
}  // namespace coppice::detail
