#include <coppice/detail/arrivals.h>
#include <coppice/error.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include "tests/support/report_log.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::report_log;

TEST(Arrivals, AreGivenInTheirOrder) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    arrivals all(2, false);
    all.arrive(1, {});
    all.arrive(0, {});
    EXPECT_TRUE(co_await all.wait());
    EXPECT_EQ(all.take(), 1u);
    EXPECT_EQ(all.remaining(), 1u);
    EXPECT_TRUE(co_await all.wait());
    EXPECT_EQ(all.take(), 0u);
    EXPECT_FALSE(co_await all.wait());
  });
}

TEST(Arrivals, OneThatComesWhileSomebodyWaitsIsGiven) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    arrivals all(1, false);
    const task_handle<bool> waiting = spawn([&]() -> task<bool> { co_return co_await all.wait(); });
    co_await sleep_for(1s);
    all.arrive(0, {});
    EXPECT_TRUE(co_await waiting);
  });
}

TEST(Arrivals, FailuresThatNobodyWasGivenAreReported) {
  report_log log;
  test_runtime rt;
  rt.set_error_handler(log.handler());
  rt.block_on([] {
    arrivals all(1, false);
    all.arrive(0, error_entry(std::make_exception_ptr(std::runtime_error("unasked"))));
    all.end_of_children();
    all.end_of_body();
  });
  EXPECT_EQ(log.messages(), std::vector<std::string>{"unasked"});
}

}  // namespace
}  // namespace coppice::detail
