// Tasks from plain callbacks, as in graphical interfaces: they may not wait, and lose nothing.
#include <functional>
#include <thread>

#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

// A toolkit's: knows nothing of tasks.
struct button {
  std::function<void()> on_click;
  void click() const { on_click(); }
};

// The test's thread is the toolkit's. Time moves when the test says so.
class PlainCallbacks : public testing_support::idiom_test {
 protected:
  PlainCallbacks() : idiom_test(false) {}

  ~PlainCallbacks() override {
    if (window_) {
      close_window();
    }
  }

  // Its tasks live below a supervisor, which is kept open by a task.
  void open_window() {
    rt_.spawn({.name = "window"}, [this]() -> task<> {
      co_await with_supervisor({.name = "window"}, [this](supervisor& s) -> task<> {
        window_ = s.handle();
        co_await sleep_for(24h);
      });
      note("window closed");
    });
    rt_.run_until_blocked();
  }

  void close_window() {
    window_.cancel("the window was closed");
    rt_.run_until_blocked();
  }

  scope_handle window_;
};

INSTANTIATE_TEST_SUITE_P(Workers, PlainCallbacks, testing::Values(1u, 2u, 4u));

TEST_P(PlainCallbacks, ReturnAtOnceAndTheTaskRunsBehindThem) {
  open_window();
  const button save{[&] { window_.spawn(sleeper("save", 2s)); }};
  save.click();
  EXPECT_THAT(journal(), IsEmpty());
  rt_.advance(1s);
  EXPECT_THAT(journal(), IsEmpty());
  rt_.advance(1s);
  EXPECT_THAT(journal(), ElementsAre("2s save done"));
}

TEST_P(PlainCallbacks, NeverRunATaskInsideTheCall) {
  open_window();
  bool returned = false;
  window_.spawn([&]() -> task<> {
    EXPECT_TRUE(returned);
    note("ran");
    co_return;
  });
  returned = true;
  rt_.run_until_blocked();
  EXPECT_THAT(journal(), ElementsAre("0s ran"));
}

TEST_P(PlainCallbacks, AFailureIsReportedAtOnceAndTheWindowStaysOpen) {
  open_window();
  const button load{[&] { window_.spawn({.name = "load"}, failing(1s, "no such file")); }};
  const button save{[&] { window_.spawn(sleeper("save", 2s)); }};
  load.click();
  save.click();
  rt_.advance(1s);
  EXPECT_THAT(reports_.messages(), ElementsAre("no such file"));
  EXPECT_FALSE(window_.closed());
  load.click();  // And again.
  rt_.advance(1s);
  EXPECT_EQ(reports_.size(), 2u);
  EXPECT_THAT(journal(), testing::Contains("2s save done"));
}

TEST_P(PlainCallbacks, ClosingTheWindowEndsWhatItsCallbacksStarted) {
  open_window();
  const button save{[&] { window_.spawn(sleeper("save", 1h)); }};
  save.click();
  rt_.advance(3s);
  close_window();
  EXPECT_THAT(journal(), ElementsAre("3s save stopped: the window was closed", "3s window closed"));
  EXPECT_TRUE(window_.closed());
}

TEST_P(PlainCallbacks, AClickAfterwardsIsRefusedAndSaysSo) {
  open_window();
  close_window();
  EXPECT_THROW(window_.spawn(sleeper("late", 1s)), scope_closed);
  task<> late = sleeper("late", 1s);
  EXPECT_FALSE(window_.try_spawn(std::move(late)).has_value());
  EXPECT_TRUE(static_cast<bool>(late));  // Still ours.
  rt_.advance(2s);
  EXPECT_THAT(journal(), ElementsAre("0s window closed"));
}

TEST_P(PlainCallbacks, ATaskTellsAPlainCallbackThatItHasEnded) {
  open_window();
  std::string label = "...";
  const button compute{[&] {
    const task_handle<int> result = window_.spawn(value(2s, 42));
    result.on_done([&label, result] { label = std::to_string(result.result().get()); });
  }};
  compute.click();
  rt_.advance(1s);
  EXPECT_EQ(label, "...");
  rt_.advance(1s);
  EXPECT_EQ(label, "42");
}

TEST_P(PlainCallbacks, TheCancelButtonStopsOneTaskOnly) {
  open_window();
  task_handle<> download;
  const button start{[&] { download = window_.spawn(sleeper("download", 1h)); }};
  const button cancel{[&] { download.cancel("the user has clicked"); }};
  start.click();
  window_.spawn(sleeper("other", 5s));
  rt_.advance(2s);
  cancel.click();
  cancel.click();  // Once more does no harm.
  rt_.advance(3s);
  EXPECT_THAT(journal(), ElementsAre("2s download stopped: the user has clicked", "5s other done"));
}

TEST_P(PlainCallbacks, MayStartTasksOfTheRuntimeItself) {
  const button save{[&] { rt_.spawn({.name = "save"}, sleeper("save", 1s)); }};
  save.click();
  save.click();
  EXPECT_EQ(rt_.all_tasks().size(), 2u);
  rt_.advance(1s);
  EXPECT_THAT(journal(), ElementsAre("1s save done", "1s save done"));
  EXPECT_THAT(rt_.all_tasks(), IsEmpty());
}

TEST_P(PlainCallbacks, MayBeCalledOnThreadsThatTheRuntimeDoesNotKnow) {
  open_window();
  const button save{[&] { window_.spawn(sleeper("save", 1s)); }};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i != 4; ++i) {
      threads.emplace_back([&] {
        for (int click = 0; click != 25; ++click) {
          save.click();
        }
      });
    }
  }
  rt_.advance(1s);
  EXPECT_EQ(journal().size(), 100u);
}

TEST_P(PlainCallbacks, TheFreeFormsWantATaskAroundThem) {
  EXPECT_THROW(spawn(sleeper("nowhere", 1s)), usage_error);
  EXPECT_THROW(static_cast<void>(all_tasks()), usage_error);
}

}  // namespace
}  // namespace coppice
