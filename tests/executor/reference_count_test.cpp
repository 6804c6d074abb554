#include <coppice/detail/reference_count.h>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace coppice::detail {
namespace {

TEST(ReferenceCount, TheMakersReferenceIsTheOnlyOne) {
  reference_count count;
  EXPECT_TRUE(count.drop());
}

TEST(ReferenceCount, OnlyTheLastToGoIsToldSo) {
  reference_count count;
  count.add();
  count.add();
  EXPECT_FALSE(count.drop());
  EXPECT_FALSE(count.drop());
  EXPECT_TRUE(count.drop());
}

// RC1: what every owner wrote, without synchronisation of its own, the last one may read and free.
TEST(ReferenceCount, TheLastOwnerSeesWhatTheOthersDid) {
  constexpr int owners = 4;
  constexpr int rounds = 300;
  for (int round = 0; round != rounds; ++round) {
    struct shared {
      reference_count count;
      int written[owners] = {};
    };
    auto* const object = new shared;
    std::atomic<int> last{0};
    std::atomic<int> sum{0};
    for (int i = 1; i != owners; ++i) {
      object->count.add();
    }
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i != owners; ++i) {
        threads.emplace_back([&, object, i] {
          object->written[i] = i + 1;
          if (object->count.drop()) {
            last.fetch_add(1);
            for (const int each : object->written) {
              sum.fetch_add(each);
            }
            delete object;
          }
        });
      }
    }
    ASSERT_EQ(last, 1);
    ASSERT_EQ(sum, 1 + 2 + 3 + 4);
  }
}

}  // namespace
}  // namespace coppice::detail
