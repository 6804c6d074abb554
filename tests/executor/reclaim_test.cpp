#include <coppice/detail/reclaim.h>

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace coppice::detail {
namespace {

// Drops what it holds when it is destroyed, as a failure does with those it carries.
class node : public reclaimable {
 public:
  node(std::vector<int>& destroyed, int name, std::vector<reclaimable*> held)
      : destroyed_(destroyed), name_(name), held_(std::move(held)) {}
  ~node() override {
    destroyed_.push_back(name_);
    for (reclaimable* each : held_) {
      reclaim(each);
    }
  }

 private:
  std::vector<int>& destroyed_;
  int name_;
  std::vector<reclaimable*> held_;
};

TEST(Reclaim, DestroysAtOnce) {
  std::vector<int> destroyed;
  reclaim(new node(destroyed, 1, {}));
  EXPECT_EQ(destroyed, std::vector{1});
  reclaim(new node(destroyed, 2, {}));
  EXPECT_EQ(destroyed, (std::vector{1, 2}));
}

TEST(Reclaim, DestroysAllThatHangsTogetherBeforeItReturns) {
  std::vector<int> destroyed;
  auto* const leaf = new node(destroyed, 3, {});
  reclaim(new node(destroyed, 1, {new node(destroyed, 2, {leaf}), new node(destroyed, 4, {})}));
  EXPECT_EQ(destroyed.size(), 4u);
  EXPECT_EQ(destroyed.front(), 1);
}

TEST(Reclaim, NeedsNoStackForDepth) {
  constexpr int depth = 1'000'000;
  std::vector<int> destroyed;
  destroyed.reserve(depth);
  reclaimable* top = nullptr;
  for (int i = 0; i != depth; ++i) {
    top = new node(destroyed, i, top != nullptr ? std::vector{top} : std::vector<reclaimable*>());
  }
  reclaim(top);
  EXPECT_EQ(destroyed.size(), std::size_t{depth});
}

TEST(Reclaim, GoesOnInEveryThreadByItself) {
  std::vector<std::jthread> threads;
  for (int i = 0; i != 4; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round != 1'000; ++round) {
        std::vector<int> destroyed;
        reclaim(new node(destroyed, 1, {new node(destroyed, 2, {})}));
        EXPECT_EQ(destroyed, (std::vector{1, 2}));
      }
    });
  }
}

}  // namespace
}  // namespace coppice::detail
