#include <coppice/cancel.h>
#include <coppice/detail/token_block.h>

#include <gtest/gtest.h>

#include <atomic>
#include <stop_token>
#include <thread>
#include <vector>

#include "tests/support/failing_new.h"

namespace coppice::detail {
namespace {

using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::live_allocations;

const reason_block* shutdown_reason(std::string_view text = {}) {
  return reason_block::make(cancel_kind::shutdown, text, task_id::none, source_site::current());
}

class TokenBlock : public testing::Test {
 protected:
  ~TokenBlock() override { block_->drop(); }

  token_block* block_ = token_block::make();
};

TEST_F(TokenBlock, IsNotRequestedUntilAMark) {
  EXPECT_FALSE(block_->requested());
  EXPECT_EQ(block_->reason(), nullptr);
  block_->mark(shutdown_reason());
  EXPECT_TRUE(block_->requested());
  EXPECT_EQ(block_->reason()->kind(), cancel_kind::shutdown);
}

TEST_F(TokenBlock, KeepsTheFirstReason) {
  block_->mark(shutdown_reason("first"));
  block_->mark(shutdown_reason("second"));
  EXPECT_EQ(block_->reason()->text(), "first");
}

TEST_F(TokenBlock, StopsTheStdTokenOnTheThreadThatMarks) {
  const std::stop_token token = block_->std_token();
  std::thread::id ran_on;
  const std::stop_callback callback(token, [&] { ran_on = std::this_thread::get_id(); });
  EXPECT_FALSE(token.stop_requested());
  std::thread worker([&] { block_->mark(shutdown_reason()); });
  const std::thread::id worker_id = worker.get_id();
  worker.join();
  EXPECT_TRUE(token.stop_requested());
  EXPECT_EQ(ran_on, worker_id);
}

TEST_F(TokenBlock, RunsACallbackOnceForManyMarks) {
  int times = 0;
  const std::stop_callback callback(block_->std_token(), [&] { ++times; });
  block_->mark(shutdown_reason());
  block_->mark(shutdown_reason());
  EXPECT_EQ(times, 1);
}

TEST_F(TokenBlock, GivesTheSameStdTokenToAll) {
  EXPECT_EQ(block_->std_token(), block_->std_token());
}

TEST_F(TokenBlock, AStdTokenMadeAfterTheMarkIsStopped) {
  block_->mark(shutdown_reason());
  const std::stop_token token = block_->std_token();
  EXPECT_TRUE(token.stop_requested());
  EXPECT_EQ(block_->std_token(), token);
  block_->mark(shutdown_reason());
  EXPECT_TRUE(token.stop_requested());
}

TEST_F(TokenBlock, AStdTokenOutlivesIt) {
  token_block* const other = token_block::make();
  const std::stop_token token = other->std_token();
  other->drop();
  EXPECT_FALSE(token.stop_requested());
  EXPECT_FALSE(token.stop_possible());
}

TEST_F(TokenBlock, WithoutMemoryTheStdTokenIsRefusedAndCanBeAskedForAgain) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  for (std::size_t k = 1; k != 3; ++k) {
    const fail_allocation_at no_memory(k, failing_threads::caller);
    EXPECT_THROW(block_->std_token(), std::bad_alloc);
  }
  EXPECT_TRUE(block_->std_token().stop_possible());
}

TEST(TokenBlockWithoutMemory, IsNull) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const fail_allocation_at no_memory(1, failing_threads::caller);
  EXPECT_EQ(token_block::make(), nullptr);
}

TEST(TokenBlockMemory, IsGivenBackWithTheLastReference) {
  const std::size_t before = live_allocations();
  token_block* const block = token_block::make();
  block->add_reference();
  static_cast<void>(block->std_token());
  block->mark(shutdown_reason(std::string(1'000, 'x')));
  block->drop();
  EXPECT_TRUE(block->requested());
  block->drop();
  EXPECT_EQ(live_allocations(), before);
}

// CT1: who sees the flag finds the reason, and what the canceller wrote before it.
TEST(TokenBlockRaces, WhoSeesTheRequestFindsTheReason) {
  for (int round = 0; round != 300; ++round) {
    token_block* const block = token_block::make();
    int written = 0;
    bool found = false;
    std::jthread reader([&] {
      while (!block->requested()) {
        std::this_thread::yield();
      }
      found = block->reason() != nullptr && block->reason()->text() == "why" && written == 1;
    });
    written = 1;
    block->mark(shutdown_reason("why"));
    reader.join();
    ASSERT_TRUE(found);
    block->drop();
  }
}

// CT2 and B2: the source is made in the midst of marks. It ends stopped, and no callback runs on a
//     thread that
// neither marked nor came too late.
TEST(TokenBlockRaces, AStdTokenMadeDuringAMarkIsStoppedByTheMarker) {
  for (int round = 0; round != 500; ++round) {
    token_block* const block = token_block::make();
    std::atomic<int> ran{0};
    std::atomic<int> ran_elsewhere{0};
    std::thread::id marker_id;
    std::atomic<int> ready{0};
    const auto meet = [&ready] {
      ready.fetch_add(1);
      while (ready.load() != 3) {
        std::this_thread::yield();
      }
    };
    {
      std::vector<std::jthread> askers;
      for (int i = 0; i != 2; ++i) {
        askers.emplace_back([&] {
          meet();
          const std::stop_token token = block->std_token();
          const std::thread::id self = std::this_thread::get_id();
          std::atomic<bool> told{false};
          const std::stop_callback callback(token, [&] {
            ++ran;
            ran_elsewhere +=
                std::this_thread::get_id() != self && std::this_thread::get_id() != marker_id;
            told = true;
          });
          while (!told) {
            std::this_thread::yield();
          }
        });
      }
      std::jthread marker([&] {
        marker_id = std::this_thread::get_id();
        meet();
        block->mark(shutdown_reason());
      });
    }
    ASSERT_EQ(ran, 2);
    ASSERT_EQ(ran_elsewhere, 0);
    block->drop();
  }
}

// B2: whoever makes the source behind a request stops it before anybody else can register with it.
TEST(TokenBlockRaces, AStdTokenMadeBehindARequestIsStoppedBeforeOthersSeeIt) {
  for (int round = 0; round != 2'000; ++round) {
    token_block* const block = token_block::make();
    block->request(shutdown_reason());
    std::atomic<int> ran_elsewhere{0};
    std::atomic<int> ready{0};
    {
      std::vector<std::jthread> askers;
      for (int i = 0; i != 2; ++i) {
        askers.emplace_back([&] {
          ready.fetch_add(1);
          while (ready.load() != 2) {
            std::this_thread::yield();
          }
          const std::thread::id self = std::this_thread::get_id();
          std::atomic<bool> told{false};
          const std::stop_callback callback(block->std_token(), [&] {
            ran_elsewhere += std::this_thread::get_id() != self;
            told = true;
          });
          while (!told) {
            std::this_thread::yield();
          }
        });
      }
    }
    ASSERT_EQ(ran_elsewhere, 0);
    block->drop();
  }
}

}  // namespace
}  // namespace coppice::detail
