// Tokens: of a request they show what came before it, and they outlive what they are tokens of.
#include <coppice/cancel.h>
#include <coppice/detail/scope_core.h>
#include <coppice/detail/token_block.h>
#include <coppice/detail/token_place.h>
#include <gtest/gtest.h>

#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/model/models.h"
#include "tests/model/stage.h"

namespace coppice_model {
namespace {

using coppice::cancel_token;
using detail::token_place;
using detail::worker;

// A node, and what its canceller did before.
struct told_node {
  explicit told_node(stage& on) : at(on), scope(&on.root()) {}

  cancel_token token() { return place.make(scope, at.core().ref()); }

  void cancel() {
    written = 1;
    scope.cancel(at.core());
  }

  void close() {
    place.close();
    at.as_worker(0, [&](worker& here) { scope.close(&here); });
  }

  // What the token says, and that it says it no earlier.
  void look(const cancel_token& token) {
    if (token.stop_requested()) {
      require(written == 1, "a request is seen, and not what came before");
      require(token.reason().kind() == coppice::cancel_kind::requested, "it has no reason");
    }
  }

  stage& at;
  node scope;
  token_place place;
  int written = 0;
};

// One finds out from the node, and tells the other.
void request_is_seen(stage& on) {
  told_node told(on);
  const cancel_token token = told.token();
  {
    const std::jthread canceller([&] { told.cancel(); });
    const std::jthread one([&] { told.look(token); });
    const std::jthread other([&] { told.look(token); });
  }
  require(token.stop_requested(), "a request is missed");
  told.close();
}

// The same without a token: who asks the node.
void request_is_polled(stage& on) {
  node scope(&on.root());
  node below(&scope);
  {
    const std::jthread canceller([&] { scope.cancel(on.core()); });
    const std::jthread poller([&] {
      on.as_worker(1, [&](worker& here) { static_cast<void>(below.cancelled_at(here.now())); });
    });
  }
  require(below.cancelled_at(on.core().seq_cst_epoch()), "a request is missed for good");
  on.as_worker(0, [&](worker& here) {
    below.close(&here);
    scope.close(&here);
  });
}

// The node goes while somebody looks.
void node_ends(stage& on) {
  auto* const told = new told_node(on);
  const cancel_token token = told->token();
  {
    const std::jthread end([&] {
      told->cancel();
      told->close();
      delete told;
    });
    const std::jthread reader([&] { static_cast<void>(token.stop_requested()); });
  }
  require(token.stop_requested(), "what a token showed is forgotten when its node has ended");
}

// Two make the std::stop_token, and who stops it may come at any time.
void std_token_is_made(stage& on) {
  told_node told(on);
  const cancel_token token = told.token();
  std::stop_token made[2];
  {
    const std::jthread one([&] { made[0] = token.to_std_stop_token(); });
    const std::jthread other([&] { made[1] = token.to_std_stop_token(); });
    const std::jthread canceller([&] {
      told.cancel();
      on.as_worker(1, [](worker& here) { here.mark_tokens(); });
    });
  }
  require(made[0] == made[1], "there are two");
  on.as_worker(0, [](worker& here) { here.mark_tokens(); });
  require(made[0].stop_requested(), "a std::stop_token is not stopped");
  told.close();
}

// The only look for tokens to stop is that of the cancel: who lists one later sees the request.
void std_token_is_listed(stage& on) {
  told_node told(on);
  const cancel_token token = told.token();
  std::stop_token made;
  {
    const std::jthread maker([&] { made = token.to_std_stop_token(); });
    const std::jthread canceller([&] {
      told.cancel();
      on.as_worker(1, [](worker& here) { here.mark_tokens(); });
    });
  }
  require(made.stop_requested(), "a std::stop_token that was listed late is not stopped");
  told.close();
}

// ---- The end of a scope -------------------------------------------------------------------------

class closer final : public detail::scope_joiner {
 public:
  explicit closer(detail::scope_core& of) : of_(of) {
    run = [](detail::job& self, worker_core& here) noexcept {
      static_cast<closer&>(self).close(here);
    };
  }
  void close(worker_core& here) noexcept {
    of_.close(here);
    of_.drop();
  }

 private:
  detail::scope_core& of_;
};

// Somebody with a reference makes a token while the scope closes; then it is gone, and the token is asked.
void token_of_ending(stage& on) {
  detail::scope_core* scope = nullptr;
  on.as_worker(0, [&](worker& here) { scope = new detail::strand_scope("", {}, here); });
  closer joined(*scope);
  scope->join_by(joined);
  scope->add_reference();
  cancel_token token;
  {
    const std::jthread body([&] {
      on.as_worker(0, [&](worker& here) {
        if (scope->leave_last()) {
          joined.close(here);
        }
      });
    });
    const std::jthread maker([&] {
      token = scope->token();
      scope->drop();
    });
  }
  on.core().bump_epoch();
  require(!token.stop_requested(), "a token is stopped by nobody");
}

// ---- All of them --------------------------------------------------------------------------------

class TokenModel : public testing::Test {
 protected:
  model of(const char* name, void (*run)(stage&), exploration how) {
    how.before = [this] { on_.set(); };
    return {std::string("token: ") + name, [this, run] { run(on_); }, how};
  }
  std::vector<model> models(const exploration& how) {
    return {of("a request is seen", request_is_seen, how),
            of("a request is polled", request_is_polled, how),
            of("the node ends", node_ends, how),
            of("a std::stop_token is made", std_token_is_made, how),
            of("a std::stop_token is listed", std_token_is_listed, how),
            of("a token of what ends", token_of_ending, how)};
  }

 private:
  stage on_{2};
};

TEST_F(TokenModel, ShowsARequestAndWhatCameBefore) {
  for (const model& each : models(under_load(20'000, 5'000))) {
    expect_sound(each);
  }
}

TEST_F(TokenModel, NeedsAWriteOfTheEpochBehindItsListing) {
  weaken({without("executor/token_block.cpp", "home_.link->cancels.fetch_add(0")});
  expect_wrong(of("listed without a word", std_token_is_listed, {}));
  weaken({});
}

TEST_F(TokenModel, NobodyWaitsForOneThatStandsStill) {
  for (const std::size_t frozen : {1u, 2u}) {
    expect_sound(
        frozen_at(of("a request is polled", request_is_polled, under_load(20'000, 3'000)), frozen));
  }
}

}  // namespace
}  // namespace coppice_model
