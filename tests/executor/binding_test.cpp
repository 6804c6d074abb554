#include <coppice/detail/binding.h>

#include <gtest/gtest.h>

#include <utility>

namespace coppice::detail {
namespace {

class counted final : public binding {
 public:
  counted(int& live, const binding* outer) : binding(&live, true), live_(live) {
    hang_below(outer);
    ++live_;
  }
  ~counted() override { --live_; }

 private:
  int& live_;
};

TEST(Binding, LivesAsLongAsSomebodyRefersToIt) {
  int live = 0;
  {
    const binding_ref mine(new counted(live, nullptr));
    {
      const binding_ref copy = mine;
      EXPECT_EQ(copy.get(), mine.get());
    }
    EXPECT_EQ(live, 1);
  }
  EXPECT_EQ(live, 0);
}

TEST(Binding, KeepsThoseFurtherOut) {
  int live = 0;
  binding_ref outer(new counted(live, nullptr));
  binding_ref inner(new counted(live, binding_ref(outer).release()));
  EXPECT_EQ(inner.get()->outer(), outer.get());
  outer = binding_ref();
  EXPECT_EQ(live, 2);
  inner = binding_ref();
  EXPECT_EQ(live, 0);
}

TEST(Binding, LeavesThoseFurtherOutThatOthersKeep) {
  int live = 0;
  const binding_ref outer(new counted(live, nullptr));
  {
    const binding_ref inner(new counted(live, binding_ref::share(outer.get()).release()));
  }
  EXPECT_EQ(live, 1);
}

TEST(Binding, AChainOfAMillionGoesWithoutRecursion) {
  int live = 0;
  binding_ref chain;
  for (int i = 0; i != 1'000'000; ++i) {
    chain = binding_ref(new counted(live, chain.release()));
  }
  EXPECT_EQ(live, 1'000'000);
  chain = binding_ref();
  EXPECT_EQ(live, 0);
}

}  // namespace
}  // namespace coppice::detail
