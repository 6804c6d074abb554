// What the declarations promise by themselves: what cannot throw, what is given, what holds if nothing is said.
#include <coppice/coppice.h>
#include <coppice/testing.h>

#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <exception>
#include <functional>
#include <list>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include "tests/support/captured_stderr.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::sleeper;

template <class T>
T& some() noexcept;

// What the call gives when it is awaited.
template <class A>
using given_by = awaited_t<A>;

// ---- What cannot throw --------------------------------------------------------------------------

TEST(Declarations, RequestsAndLooksAtScopesCannotThrow) {
  using handle = const scope_handle;
  static_assert(noexcept(scope_handle()) && noexcept(bool(some<handle>())));
  static_assert(noexcept(some<handle>().closed()) && noexcept(some<handle>().name()));
  static_assert(noexcept(some<handle>().cancel(cancel_reason())));
  static_assert(noexcept(some<handle>().request_shutdown()));
  using scope = cancel_scope;
  static_assert(noexcept(some<scope>().cancel(cancel_reason())));
  static_assert(noexcept(some<const scope>().cancelled()));
  static_assert(noexcept(some<const scope>().reason()) && noexcept(some<const scope>().handle()));
  static_assert(noexcept(some<const scope>().name()) && noexcept(some<const scope>().deadline()));
  static_assert(noexcept(some<const scope>().expired()));
  static_assert(noexcept(some<const scope>().shielded()));
  static_assert(noexcept(some<const task_group>().size()));
  static_assert(noexcept(manual_group()) && noexcept(some<const manual_group>().is_open()));
  static_assert(noexcept(some<const supervisor>().size()));
  static_assert(noexcept(some<supervisor>().request_shutdown()));
  static_assert(noexcept(some<supervisor>().cancel_host(cancel_reason())));
  static_assert(noexcept(manual_supervisor()));
  static_assert(noexcept(some<const manual_supervisor>().is_open()));
  static_assert(noexcept(some<runtime>().request_shutdown()));
  static_assert(noexcept(some<const runtime>().workers()));
  static_assert(noexcept(some<const runtime>().effective_options()));
  static_assert(noexcept(some<completions<int>>().cancel_rest(cancel_reason())));
  static_assert(noexcept(some<const completions<int>>().remaining()));
}

TEST(Declarations, LooksAtReasonsOutcomesAndFailuresCannotThrow) {
  using reason = const cancel_reason;
  static_assert(noexcept(cancel_reason()) && noexcept(cancel_reason("text")));
  static_assert(noexcept(cancel_reason(std::string_view())));
  static_assert(noexcept(cancel_reason(cancel_kind::shutdown, "text")));
  static_assert(noexcept(some<reason>().kind()) && noexcept(some<reason>().message()));
  static_assert(noexcept(some<reason>().by()) && noexcept(some<reason>().where()));
  using token = const cancel_token;
  static_assert(noexcept(cancel_token()) && noexcept(some<token>().stop_requested()));
  static_assert(noexcept(some<token>().stop_possible()) && noexcept(some<token>().reason()));
  static_assert(noexcept(cancel_requested()) && noexcept(this_task::id()) && noexcept(now()));
  using end = const outcome<int>;
  static_assert(noexcept(outcome<int>::failed_with(error_entry())));
  static_assert(noexcept(outcome<int>::cancelled_with(cancel_reason())));
  static_assert(noexcept(some<end>().status()) && noexcept(some<end>().completed()));
  static_assert(noexcept(some<end>().failed()) && noexcept(some<end>().cancelled()));
  static_assert(noexcept(some<end>().error()) && noexcept(some<end>().entry()));
  static_assert(noexcept(some<end>().reason()) && noexcept(bool(some<end>())));
  using entry = const error_entry;
  static_assert(noexcept(error_entry()) && noexcept(some<entry>().error()));
  static_assert(noexcept(some<entry>().id()) && noexcept(some<entry>().name()));
  static_assert(noexcept(some<entry>().site()) && noexcept(some<entry>().context()));
  static_assert(noexcept(some<entry>().suppressed()) && noexcept(some<entry>().notes()));
  static_assert(noexcept(some<entry>().type()) && noexcept(some<entry>().get_if<int>()));
  using group = const exception_group;
  static_assert(std::is_nothrow_copy_constructible_v<exception_group>);
  static_assert(std::is_nothrow_copy_assignable_v<exception_group>);
  static_assert(noexcept(some<group>().message()) && noexcept(some<group>().exceptions()));
  static_assert(noexcept(some<group>().leaf_count()) && noexcept(some<group>().single()));
  static_assert(noexcept(some<group>().notes()) && noexcept(some<group>().what()));
  static_assert(noexcept(register_fatal_error(typeid(int))));
  static_assert(noexcept(is_fatal(std::exception_ptr())));
  static_assert(noexcept(some<const task_local<int>>().get()));
  static_assert(noexcept(to_string(cancel_kind::fatal)) &&
                noexcept(to_string(task_status::failed)));
  static_assert(noexcept(to_string(error_origin::child)));
}

// ---- What is given ------------------------------------------------------------------------------

TEST(Declarations, ScopesGiveWhatTheirBodiesGive) {
  const auto number = [](cancel_scope&) -> task<int> { co_return 1; };
  const auto nothing = []() -> task<> { co_return; };
  static_assert(std::same_as<given_by<decltype(with_scope(number))>, scope_result<int>>);
  static_assert(std::same_as<given_by<decltype(with_scope({}, nothing))>, scope_result<void>>);
  const auto in_group = [](task_group&) -> task<std::string> { co_return ""; };
  static_assert(std::same_as<given_by<decltype(with_group(in_group))>, std::string>);
  static_assert(std::same_as<given_by<decltype(with_group({}, in_group))>, std::string>);
  const auto in_supervisor = [](supervisor&) -> task<> { co_return; };
  static_assert(std::same_as<given_by<decltype(with_supervisor(in_supervisor))>, void>);
  static_assert(std::same_as<given_by<decltype(shield(number))>, int>);
  static_assert(std::same_as<given_by<decltype(shield(1s, nothing))>, void>);
  static_assert(std::same_as<given_by<decltype(as_result(sleep_for(1s)))>, outcome<>>);
  static_assert(std::same_as<given_by<decltype(nothrow(task<int>()))>, int>);
  static_assert(std::same_as<given_by<decltype(stop())>, void>);
}

TEST(Declarations, TimeLimitsGiveWhatTheirBodiesGiveOrNothing) {
  static_assert(std::same_as<given_by<decltype(with_timeout(1s, task<int>()))>, int>);
  static_assert(std::same_as<given_by<decltype(with_deadline(now(), task<>()))>, void>);
  static_assert(
      std::same_as<given_by<decltype(move_on_after(1s, task<int>()))>, std::optional<int>>);
  static_assert(std::same_as<given_by<decltype(move_on_after(1s, task<>()))>, bool>);
  static_assert(std::same_as<given_by<decltype(move_on_at(now(), task<int&>()))>,
                             std::optional<std::reference_wrapper<int>>>);
  static_assert(std::same_as<decltype(current_deadline()), std::optional<time_point>>);
}

TEST(Declarations, JoinsGiveTheResultsOfAll) {
  static_assert(std::same_as<gathered_t<task<int>>, int>);
  static_assert(std::same_as<gathered_t<task<>>, std::monostate>);
  static_assert(std::same_as<gathered_t<task<int&>>, std::reference_wrapper<int>>);
  static_assert(std::same_as<gathered_t<task_handle<int>&>, int>);
  static_assert(std::same_as<gathered_t<const task_handle<int>&>, int>);
  static_assert(std::same_as<range_value<std::vector<task<int>>>, int>);
  static_assert(awaitable_range<std::list<task<>>> && !awaitable_range<std::vector<int>>);
  static_assert(handle_range<std::span<task_ref>> && handle_range<std::vector<task_handle<int>>>);
  static_assert(!handle_range<std::vector<task<int>>>);
  using tasks = std::vector<task<int>>;
  static_assert(std::same_as<given_by<decltype(gather(task<int>(), task<>()))>,
                             std::tuple<int, std::monostate>>);
  static_assert(std::same_as<given_by<decltype(gather(tasks()))>, std::vector<int>>);
  static_assert(std::same_as<given_by<decltype(gather(limit{2}, std::vector<task<>>()))>, void>);
  static_assert(std::same_as<given_by<decltype(gather_settled(task<int>(), task<>()))>,
                             std::tuple<outcome<int>, outcome<>>>);
  static_assert(
      std::same_as<given_by<decltype(gather_settled(tasks()))>, std::vector<outcome<int>>>);
  using one_of_two = std::variant<int, std::monostate>;
  static_assert(
      std::same_as<given_by<decltype(race(task<int>(), task<>()))>, race_result<one_of_two>>);
  static_assert(std::same_as<given_by<decltype(race(task<int>(), task<int>()))>, race_result<int>>);
  static_assert(std::same_as<given_by<decltype(race_success(tasks()))>, race_result<int>>);
  using handles = std::vector<task_handle<int>>;
  static_assert(std::same_as<given_by<decltype(wait(handles()))>, wait_result<task_handle<int>>>);
  static_assert(std::same_as<given_by<decltype(wait_or_abort(handles()))>, handles>);
  static_assert(std::same_as<given_by<decltype(cancel_all(handles()))>, void>);
  static_assert(std::same_as<given_by<decltype(follow_through(task_handle<int>()))>, int>);
  static_assert(std::derived_from<finished<int>, outcome<int>>);
  static_assert(std::same_as<given_by<decltype(some<completions<int>>().next())>,
                             std::optional<finished<int>>>);
}

TEST(Declarations, ShutdownsGiveAReport) {
  using jobs = supervisor;
  static_assert(std::same_as<given_by<decltype(some<jobs>().shutdown())>, shutdown_report>);
  static_assert(std::same_as<given_by<decltype(some<jobs>().shutdown(1s))>, shutdown_report>);
  static_assert(
      std::same_as<given_by<decltype(some<jobs>().shutdown(shutdown_options{}))>, shutdown_report>);
  static_assert(std::same_as<decltype(some<runtime>().shutdown()), shutdown_report>);
  static_assert(std::derived_from<task_group, cancel_scope>);
  static_assert(std::derived_from<supervisor, cancel_scope>);
  static_assert(std::derived_from<manual_group, task_group>);
  static_assert(std::derived_from<manual_supervisor, supervisor>);
  EXPECT_TRUE(shutdown_report{});
}

// ---- What holds if nothing is said --------------------------------------------------------------

TEST(Declarations, OptionsHaveTheirDefaults) {
  const group_options group;
  EXPECT_EQ(group.on_failure, on_child_failure::cancel_all);
  EXPECT_EQ(group.timeout, std::nullopt);
  EXPECT_EQ(group.max_children, std::nullopt);
  const supervisor_options jobs;
  EXPECT_EQ(jobs.max_children, std::nullopt);
  EXPECT_EQ(jobs.drain, duration::zero());
  EXPECT_EQ(jobs.grace, 5s);
  EXPECT_EQ(jobs.stuck, on_stuck::wait);
  const shutdown_options shutdown;
  EXPECT_EQ(shutdown.drain, std::nullopt);
  EXPECT_EQ(shutdown.grace, std::nullopt);
  EXPECT_EQ(shutdown.stuck, std::nullopt);
  const scope_options scope;
  EXPECT_EQ(scope.timeout, std::nullopt);
  EXPECT_FALSE(scope.shield);
  const spawn_options spawned;
  EXPECT_EQ(spawned.start, start_mode::queued);
  EXPECT_EQ(spawned.timeout, std::nullopt);
  EXPECT_EQ(cleanup_options().grace, 5s);
}

// Of the braces.
TEST(Declarations, OptionsNoteTheLineTheyAreWrittenIn) {
  const auto here = source_site::current();
  const group_options group{};
  const supervisor_options jobs{};
  const scope_options scope{};
  const spawn_options spawned{};
  EXPECT_EQ(group.site.line, here.line + 1);
  EXPECT_EQ(jobs.site.line, here.line + 2);
  EXPECT_EQ(scope.site.line, here.line + 3);
  EXPECT_EQ(spawned.site.line, here.line + 4);
}

class DeclaredOptions : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, DeclaredOptions, testing::Values(1u, 2u, 4u));

// Also where the supervisor's own option says otherwise.
TEST_P(DeclaredOptions, WaitToldToAShutdownReportsTheStuckAndWaitsForThem) {
  const testing_support::captured_stderr printed;
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto resisting = []() -> task<> { co_await shield(sleep_for(1min)); };
    const time_point start = now();
    manual_supervisor jobs({.name = "jobs", .grace = 2s, .stuck = on_stuck::terminate});
    jobs.open();
    jobs.spawn({.name = "stubborn"}, resisting);
    co_await wait_all_tasks_blocked();
    const shutdown_report report = co_await jobs.shutdown({.stuck = on_stuck::wait});
    EXPECT_EQ(now() - start, 1min);
    EXPECT_EQ(report.stuck.size(), 1u);
    if (!report.stuck.empty()) {
      EXPECT_EQ(report.stuck.front().name, "stubborn");
      EXPECT_EQ(report.stuck.front().waiting_for, "sleep_for");
      EXPECT_TRUE(report.stuck.front().task.done());
    }
  });
  EXPECT_NE(printed.text().find("stubborn"), std::string::npos) << printed.text();
}

TEST_P(DeclaredOptions, CancelAllToldToAGroupIsWhatItDoesAnyway) {
  for (const group_options& told :
       {group_options{}, group_options{.on_failure = on_child_failure::cancel_all}}) {
    task_handle<> sibling;
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      const auto body = [&](task_group& g) -> task<> {
        sibling = g.spawn(sleeper(forever));
        g.spawn(testing_support::failing_after(1s, "first"));
        co_return;
      };
      const outcome<> end = co_await as_result(with_group(told, body));
      EXPECT_EQ(testing_support::messages_of(end.entry()), testing_support::texts{"first"});
    });
    EXPECT_EQ(sibling.status(), task_status::cancelled);
    EXPECT_EQ(sibling.result().reason().kind(), cancel_kind::sibling_failed);
  }
}

// ---- Tokens behind the end ----------------------------------------------------------------------

class StdStopTokenAfterTheEnd : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, StdStopTokenAfterTheEnd, testing::Values(1u, 2u, 4u));

// A token tells for ever what it told at the exit of its scope, in both forms.
TEST_P(StdStopTokenAfterTheEnd, OfAScopeThatWasCancelledIsStopped) {
  cancel_token kept;
  bool called = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      kept = scope.token();
      scope.cancel("inside");
      co_return;
    });
    EXPECT_TRUE(kept.stop_requested());
    EXPECT_TRUE(kept.to_std_stop_token().stop_requested());
  });
  const std::stop_callback callback(kept.to_std_stop_token(), [&] { called = true; });
  EXPECT_TRUE(called);
}

TEST_P(StdStopTokenAfterTheEnd, OfATaskThatWasCancelledIsStopped) {
  cancel_token kept;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> sleeping = spawn(sleeper(forever));
    kept = sleeping.token();
    co_await wait_all_tasks_blocked();
    sleeping.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(sleeping.done());
    EXPECT_TRUE(kept.stop_requested());
    EXPECT_TRUE(kept.to_std_stop_token().stop_requested());
  });
}

TEST_P(StdStopTokenAfterTheEnd, OfOneThatWasNotCancelledIsNot) {
  cancel_token kept;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto outer = [&](cancel_scope& above) -> task<> {
      co_await with_scope([&](cancel_scope& scope) -> task<> {
        kept = scope.token();
        co_return;
      });
      above.cancel("behind its end");
    };
    co_await with_scope(outer);
  });
  EXPECT_FALSE(kept.stop_requested());
  EXPECT_FALSE(kept.to_std_stop_token().stop_requested());
}

}  // namespace
}  // namespace coppice
