// The last to leave: of a fork's chains, whose children may have failed, and of those who are in a scope.
#include <coppice/detail/fork_base.h>
#include <coppice/detail/result_slot.h>
#include <coppice/detail/scope_core.h>
#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "tests/model/models.h"
#include "tests/model/stage.h"

namespace coppice_model {
namespace {

using detail::worker;

// ---- A fork -------------------------------------------------------------------------------------

class parent final : public detail::promise_base, detail::receiver {
 public:
  parent() { continue_with(*this, nullptr, nullptr); }

 private:
  std::coroutine_handle<> completed(worker_core&) noexcept override { return {}; }
  std::coroutine_handle<> stopped(worker_core&) noexcept override { return {}; }
};

class fork final : public detail::fork_base {
 public:
  fork(parent& of, std::uint32_t chains) { begin(of, nullptr, chains, false); }

  bool has_failed() const noexcept { return failed(); }
};

// Each child fails, and ends its chain; one of them goes on with the parent.
void fork_ends(stage& on) {
  parent above;
  fork children(above, 2);
  detail::result_slot<int> results[2];
  detail::atomic<int> last{0};
  {
    const auto end = [&](std::size_t which) {
      return [&, which] {
        on.as_worker(which + 1, [&](worker& here) {
          children.child_failed(results[which], nullptr);
          if (children.child_ended(here, 1) == above.handle()) {
            last.fetch_add(1, std::memory_order_relaxed);
            require(results[0].earlier() == &results[1] || results[1].earlier() == &results[0],
                    "a failure is lost");
          }
        });
      };
    };
    const std::jthread one(end(0));
    const std::jthread other(end(1));
  }
  require(last.load(std::memory_order_relaxed) == 1, "not exactly one chain is the last");
  require(children.has_failed(), "the failures are forgotten");
}

// ---- A scope ------------------------------------------------------------------------------------

// Goes on when all have left: closes the scope, and lets it go.
class joiner final : public detail::scope_joiner {
 public:
  explicit joiner(detail::scope_core& of) : of_(of) {
    run = [](detail::job& self, worker_core& here) noexcept {
      static_cast<joiner&>(self).join(here);
    };
  }

  void join(worker_core& here) noexcept {
    ++times_;
    done_ = work_ == 1;
    of_.close(here);
    of_.drop();
  }

  void work() { work_ = 1; }
  void expect_joined() const {
    require(times_ == 1, "a scope is not joined once");
    require(done_, "what was done in the scope is not seen");
  }

 private:
  detail::scope_core& of_;
  int work_ = 0;  // The child.
  bool done_ = false;
  int times_ = 0;
};

// A child and the body leave, while somebody with a reference asks all to stop.
void scope_ends(stage& on) {
  detail::scope_core* scope = nullptr;
  on.as_worker(0, [&](worker& here) { scope = new detail::strand_scope("", {}, here); });
  joiner joined(*scope);
  scope->join_by(joined);
  require(scope->enter_open(), "a scope is not open");
  scope->add_reference();
  {
    const std::jthread child([&] {
      on.as_worker(1, [&](worker&) {
        joined.work();
        scope->leave();
      });
      on.run_queued(1);
    });
    const std::jthread canceller([&] {
      on.as_worker(2, [&](worker&) {
        scope->cancel(detail::reason_access::immortal(coppice::cancel_kind::requested));
        scope->drop();
      });
      on.run_queued(2);
    });
    const std::jthread body([&] {
      on.as_worker(0, [&](worker& here) {
        if (scope->leave_last()) {
          joined.join(here);
        }
      });
      on.run_queued(0);
    });
  }
  for (const std::size_t each : {0u, 1u, 2u}) {
    on.run_queued(each);
  }
  joined.expect_joined();
}

// ---- All of them --------------------------------------------------------------------------------

class LeavingModel : public testing::Test {
 protected:
  model of(const char* name, void (*run)(stage&), exploration how) {
    how.before = [this] { on_.set(); };
    return {std::string("leaving: ") + name, [this, run] { run(on_); }, how};
  }
  std::vector<model> models(const exploration& how) {
    return {of("a fork", fork_ends, how), of("a scope", scope_ends, how)};
  }

 private:
  stage on_{3};
};

TEST_F(LeavingModel, OneIsTheLastAndFindsWhatTheOthersLeft) {
  for (const model& each : models(under_load(50'000, 10'000))) {
    expect_sound(each);
  }
}

TEST_F(LeavingModel, NeedsItsOrders) {
  EXPECT_EQ(unneeded_orders("executor/fork.cpp", {"J1"}, models({})), "");
  EXPECT_EQ(unneeded_orders("supervision/scope_core.cpp", {"SC3"}, {of("a scope", scope_ends, {})}),
            "closed_.store(true, std::memory_order_seq_cst);\n");
}

TEST_F(LeavingModel, NobodyWaitsForOneThatStandsStill) {
  for (const model& each : models(under_load(20'000, 3'000))) {
    for (const std::size_t frozen : {1u, 2u, 3u}) {
      expect_sound(frozen_at(each, frozen));
    }
  }
}

}  // namespace
}  // namespace coppice_model
