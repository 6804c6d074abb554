#include "executor/token_list.h"

#include <gtest/gtest.h>

#include <stop_token>

#include "executor/executor_state.h"
#include "tests/support/stub_node.h"

namespace coppice::detail {
namespace {

using testing_support::stub_node;

class TokenList : public testing::Test {
 protected:
  ~TokenList() override { block_->drop(); }

  executor on_{options{.threads = 1}};
  stub_node node_{on_};
  token_block* block_ = token_block::make();
};

TEST_F(TokenList, StopsWhatIsAskedToStop) {
  block_->watch(node_, on_.ref());
  const std::stop_token foreign = block_->std_token();  // Lists itself.
  token_list& listed = on_.state().core->tokens;
  listed.mark();
  EXPECT_FALSE(foreign.stop_requested());
  node_.cancel();
  on_.block_on([&] { listed.mark(); });
  EXPECT_TRUE(foreign.stop_requested());
  block_->detach(true);
}

TEST_F(TokenList, ForgetsWhatNeverWillBeAsked) {
  token_list list;
  block_->watch(node_, on_.ref());
  list.add(*block_);
  block_->detach(true);
  list.mark();
  EXPECT_EQ(block_->listed_next, nullptr);
  EXPECT_FALSE(block_->requested());
}

TEST_F(TokenList, LetsGoOfWhatIsLeftAtItsEnd) {
  {
    token_list list;
    list.add(*block_);
  }
  block_->mark(reason_block::immortal(cancel_kind::requested));
  EXPECT_TRUE(block_->requested()) << "the caller's reference still holds it";
}

}  // namespace
}  // namespace coppice::detail
