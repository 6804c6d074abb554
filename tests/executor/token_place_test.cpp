#include <coppice/detail/token_place.h>
#include <gtest/gtest.h>

#include <thread>

#include "executor/executor_state.h"
#include "tests/support/load.h"
#include "tests/support/stub_node.h"

namespace coppice::detail {
namespace {

using testing_support::rounds;
using testing_support::stub_node;

class TokenPlace : public testing::Test {
 protected:
  executor on_{options{.threads = 1}};
  stub_node node_{on_};
  token_place place_;
};

TEST_F(TokenPlace, GivesTokensOfOneBlockThatSeeTheNode) {
  const cancel_token first = place_.make(node_, on_.ref());
  const cancel_token second = place_.make(node_, on_.ref());
  EXPECT_FALSE(first.stop_requested());
  node_.cancel();
  EXPECT_TRUE(first.stop_requested());
  EXPECT_TRUE(second.stop_requested());
}

TEST_F(TokenPlace, OnceClosedShowsForEverWhatItShowedThen) {
  const cancel_token token = place_.make(node_, on_.ref());
  node_.end();
  place_.close();
  node_.cancel();
  EXPECT_FALSE(token.stop_requested());
}

TEST_F(TokenPlace, ATokenMadeAfterTheCloseKnowsTheNodesOwnRequest) {
  node_.cancel();
  node_.end();
  place_.close();
  EXPECT_TRUE(place_.make(node_, on_.ref()).stop_requested());
}

// N2: a token that is made while the node closes does not ask it any more afterwards.
TEST(TokenPlaceRaces, ATokenMadeDuringTheCloseLetsGoOfTheNode) {
  executor on({.threads = 1});
  for (long round = rounds(100'000, 500); round != 0; --round) {
    token_place place;
    cancel_token token;
    {
      stub_node node(on);
      {
        const std::jthread closing([&] {
          node.end();
          place.close();
        });
        token = place.make(node, on.ref());
      }
    }
    on.state().core->bump_epoch();
    ASSERT_FALSE(token.stop_requested());
  }
}

}  // namespace
}  // namespace coppice::detail
