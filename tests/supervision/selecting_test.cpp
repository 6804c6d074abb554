#include <coppice/channel.h>
#include <coppice/detail/selecting.h>
#include <coppice/error.h>
#include <coppice/scope.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <concepts>
#include <utility>

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

struct operation {
  using value_type = int;
  static void start(const completion<int>& done) { done.complete(1); }
  static void cancel() noexcept {}
};

using receive = decltype(std::declval<channel<int>&>().receive());
using performed = decltype(perform(std::declval<operation>()));
using by_reference = decltype(perform(std::declval<operation&>()));

static_assert(std::same_as<branch_t<receive>, wait_branch<channel_core<int>::receive_source>>);
static_assert(std::same_as<branch_t<decltype(sleep_for(1s))>, time_branch>);
static_assert(std::same_as<branch_t<decltype(yield())>, time_branch>);
static_assert(std::same_as<branch_t<performed>, performed_branch<operation>>);
static_assert(std::same_as<branch_t<by_reference>, performed_branch<operation&>>);
static_assert(
    std::same_as<branch_t<wait_operation<end_source>>, no_branch<wait_operation<end_source>>>);

TEST(Selecting, ATimeIsDueWhenItWas) {
  const time_point when = clock::now() + 1h;
  EXPECT_EQ(branch_of(sleep_until(when), nullptr).due(), when);
  EXPECT_EQ(branch_of(yield(), nullptr).due(), time_point::min());
}

TEST(Selecting, WhatIsNoSingleWaitIsRefused) {
  const auto body = []() -> task<> { co_return; };
  EXPECT_THROW(static_cast<void>(branch_of(with_scope(body), nullptr)), usage_error);
}

TEST(Selecting, APerformedOperationThatWasNeverStartedLeavesNothing) {
  channel<int> items;
  auto branch = branch_of(perform(operation()), nullptr);
  EXPECT_FALSE(branch.begun());
  EXPECT_FALSE(branch.served());
}

}  // namespace
}  // namespace coppice::detail
