#include <coppice/detail/binding_scope.h>

#include <coppice/scope.h>
#include <coppice/task_local.h>
#include <coppice/testing.h>

#include <gtest/gtest.h>

#include <memory>

namespace coppice {
namespace {

const task_local<int> number;

class BindingScope : public testing::Test {
 protected:
  test_runtime rt_;
};

TEST_F(BindingScope, IsNoScopeToUsers) {
  rt_.block_on([]() -> task<> {
    co_await with_scope({.name = "around"}, [](cancel_scope& around) -> task<> {
      co_await number.with(1, [&]() -> task<> {
        EXPECT_EQ(current_scope().name(), "around");
        EXPECT_EQ(this_task::scopes().size(), 1u);
        EXPECT_EQ(around.name(), "around");
        co_return;
      });
    });
  });
}

TEST_F(BindingScope, LetsRequestsFromAboveThrough) {
  rt_.block_on([]() -> task<> {
    const scope_result<void> stopped = co_await with_scope([](cancel_scope& around) -> task<> {
      co_await number.with(1, [&]() -> task<> {
        around.cancel("enough");
        co_await sleep_for(forever);
      });
    });
    EXPECT_TRUE(stopped.cancelled_caught);
    EXPECT_EQ(stopped.reason.message(), "enough");
  });
}

TEST_F(BindingScope, OneThatIsNeverAwaitedKeepsNothing) {
  static const task_local<std::shared_ptr<int>> shared;
  const auto given = std::make_shared<int>(7);
  {
    const auto body = []() -> task<> { co_return; };
    [[maybe_unused]] const auto never = shared.with(given, body);
    EXPECT_EQ(given.use_count(), 2);
  }
  EXPECT_EQ(given.use_count(), 1);
}

}  // namespace
}  // namespace coppice
