#include <coppice/detail/broadcast_core.h>
#include <coppice/error.h>
#include <gtest/gtest.h>

#include <memory>

namespace coppice::detail {
namespace {

using core = broadcast_core<int>;

TEST(BroadcastCore, KeepsTheLastItemsAndLetsGoOfTheOthers) {
  EXPECT_THROW(core(0), usage_error);
  const auto shared = std::make_shared<core>(2);
  core::reader one(shared);
  shared->enter(one);
  std::weak_ptr<const int> first;
  for (int i = 0; i != 3; ++i) {
    auto item = std::make_shared<const int>(i);
    if (i == 0) {
      first = item;
    }
    shared->send(std::move(item));
  }
  EXPECT_TRUE(first.expired());
  EXPECT_EQ(shared->missed(one), 1u);
  core::shared_item got;
  EXPECT_EQ(shared->try_receive(one, got), core::attempt::done);
  EXPECT_EQ(*got, 1);
  core::reader late(shared);
  shared->enter(late);
  EXPECT_EQ(shared->readers(), 2u);
  EXPECT_EQ(shared->try_receive(late, got), core::attempt::must_wait);
  shared->close();
  EXPECT_EQ(shared->try_receive(late, got), core::attempt::closed);
  EXPECT_EQ(shared->try_receive(one, got), core::attempt::done);
  EXPECT_EQ(*got, 2);
  EXPECT_EQ(shared->try_receive(one, got), core::attempt::closed);
  shared->leave();
  EXPECT_EQ(shared->readers(), 1u);
}

}  // namespace
}  // namespace coppice::detail
