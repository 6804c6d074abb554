// Between the flag of a request and the move of the epoch, who looks up for the first time sees the request, and who has looked a
// moment before does not: whoever hears of another's stop looks anew.
#include <coppice/as_completed.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/testing.h>
#include <coppice/wait.h>

#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

namespace coppice {
namespace {

// What one remembers who has looked up just before a request, and writes it down just behind one who has looked after it.
void look_late(detail::cancel_node& node) {
  struct opened : detail::cancel_node {
    using cancel_node::remember;
  };
  (node.*&opened::remember)(detail::this_worker()->now(), false);
}

// Is stopped by a request of the group that its other tasks have not seen.
task<> stopped_by_unseen(task_group& group) {
  detail::cancel_node& node = detail::scope_access::core(group).get()->node();
  node.request();
  for (auto* each = detail::this_worker()->scope; each != nullptr; each = each->parent()) {
    each->forget();
  }
  EXPECT_TRUE(cancel_requested());
  for (auto* each = detail::this_worker()->scope->parent(); each != nullptr;
       each = each->parent()) {
    look_late(*each);
  }
  co_await yield();
  ADD_FAILURE() << "it went on";
}

task<task_handle<>> ended_child(task_group& group) {
  const task_handle<> child = group.spawn(stopped_by_unseen(group));
  const auto until_ended = [&]() -> task<> {
    while (!child.done()) {
      co_await yield();
    }
  };
  co_await shield(until_ended);
  look_late(detail::scope_access::core(group).get()->node());
  co_return child;
}

class LateLook : public testing::TestWithParam<unsigned> {
 protected:
  // Runs the body of a group, which has remembered that no stop is requested, and must not reach its end.
  void expect_stopped(const std::function<task<>(task_group&)>& wait_for_it) {
    test_runtime rt({.workers = GetParam()});
    rt.block_on([&]() -> task<> {
      bool went_on = false;
      const auto body = [&](task_group& group) -> task<> {
        co_await wait_for_it(group);
        went_on = true;
      };
      co_await with_group(body);
      EXPECT_FALSE(went_on);
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, LateLook, testing::Values(1u, 2u, 4u));

TEST_P(LateLook, StopsWhoAwaitsTheHandle) {
  expect_stopped([](task_group& group) -> task<> {
    const task_handle<> child = group.spawn(stopped_by_unseen(group));
    co_await child;
  });
}

TEST_P(LateLook, StopsWhoAwaitsTheHandleOfOneThatHasEnded) {
  expect_stopped([](task_group& group) -> task<> {
    const task_handle<> child = co_await ended_child(group);
    co_await child;
  });
}

TEST_P(LateLook, LetsStopStop) {
  expect_stopped([](task_group& group) -> task<> {
    const task_handle<> child = co_await ended_child(group);
    EXPECT_EQ(child.status(), task_status::cancelled);
    co_await stop();
  });
}

TEST_P(LateLook, StopsWhoWaitsForTheFirstThatFails) {
  expect_stopped([](task_group& group) -> task<> {
    const task_handle<> child = co_await ended_child(group);
    const std::vector<task_handle<>> children{child};
    static_cast<void>(co_await wait_or_abort(children));
  });
}

TEST_P(LateLook, StopsWhoStartsAChild) {
  expect_stopped([](task_group& group) -> task<> {
    const auto child = [&group](start_gate&) { return stopped_by_unseen(group); };
    co_await group.start(child);
  });
}

TEST_P(LateLook, StopsWhoTakesOutcomesInOrder) {
  expect_stopped([](task_group& group) -> task<> {
    std::vector<task<>> children;
    children.push_back(stopped_by_unseen(group));
    bool went_on = false;
    const auto body = [&](completions<void>& ends) -> task<> {
      static_cast<void>(co_await ends.next());
      went_on = true;
    };
    co_await as_completed(std::move(children), body);
    EXPECT_FALSE(went_on);
  });
}

TEST_P(LateLook, StopsWhoGathersOutcomes) {
  expect_stopped([](task_group& group) -> task<> {
    const auto apart = [](task_group& of) -> task<> {
      const auto body = [&](cancel_scope&) { return stopped_by_unseen(of); };
      co_await with_scope(body);
    };
    static_cast<void>(co_await gather_settled(apart(group), apart(group)));
  });
}

}  // namespace
}  // namespace coppice
