// A writer whose other side takes nothing: its own deadline ends it and nobody else is held up.
#include <optional>

#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

// Begins, and is never taken; ends only when it is withdrawn.
class stalled_write {
 public:
  using value_type = void;
  void start(completion<> done) {
    describe_wait("write");
    done_ = std::move(done);
  }
  void cancel() noexcept { done_->stopped(); }

 private:
  std::optional<completion<>> done_;
};

class StalledWriter : public testing_support::idiom_test {
 protected:
  task<> write_all() {
    stalled_write write;
    const outcome<> end = co_await as_result(perform(write));
    note("writer stopped: " + why(end.reason()));
    co_await stop();
  }

  // Cannot be interrupted for as long as it takes.
  static task<> flush(duration takes) {
    const auto flushing = [&]() -> task<> { co_await sleep_for(takes); };
    co_await shield(flushing);
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, StalledWriter, testing::Values(1u, 2u, 4u));

TEST_P(StalledWriter, FailsAtItsOwnDeadlineWhileTheOthersGoOn) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn({.name = "writer", .timeout = 5s}, write_all());
      s.spawn(sleeper("reader", 10s));
      co_return;
    });
  });
  EXPECT_THAT(journal(), ElementsAre("5s writer stopped: deadline",
                                     "5s reported timed out after 5s", "10s reader done"));
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].entry.get_if<timeout_error>(), nullptr);
  EXPECT_EQ(told[0].entry.name(), "writer");
}

TEST_P(StalledWriter, InAGroupItsDeadlineIsAFailureLikeAnother) {
  const auto body = [&](task_group& g) -> task<> {
    g.spawn({.name = "writer", .timeout = 5s}, write_all());
    g.spawn(sleeper("reader", 10s));
    co_return;
  };
  const outcome<> end =
      rt_.block_on([&]() -> task<outcome<>> { co_return co_await as_result(with_group(body)); });
  EXPECT_EQ(testing_support::leaves_of(end.entry()), "[timed out after 5s]");
  EXPECT_THAT(journal(),
              ElementsAre("5s writer stopped: deadline", "5s reader stopped: sibling_failed"));
}

TEST_P(StalledWriter, GivesUpByItselfAndGoesOn) {
  rt_.block_on([&]() -> task<> {
    for (int attempt = 0; attempt != 3; ++attempt) {
      const bool written = co_await move_on_after(2s, write_all());
      EXPECT_FALSE(written);
    }
    note("gave up");
  });
  EXPECT_EQ(journal().back(), "6s gave up");
  EXPECT_EQ(reports_.size(), 0u);
}

TEST_P(StalledWriter, ADeadlineThatIsMovedOnKeepsASlowWriterAlive) {
  rt_.block_on([&]() -> task<> {
    const int written = co_await with_timeout(5s, [&](cancel_scope& deadline) -> task<int> {
      int lines = 0;
      for (; lines != 4; ++lines) {
        co_await sleep_for(4s);  // A line gets through.
        deadline.reschedule_after(5s);
      }
      co_return lines;
    });
    EXPECT_EQ(written, 4);
  });
  EXPECT_EQ(rt_.clock().elapsed(), 16s);
}

TEST_P(StalledWriter, IsEndedByTheNearerOfTwoDeadlines) {
  rt_.block_on([&]() -> task<> {
    const auto inner = [&]() -> task<> { co_await with_timeout(3s, write_all()); };
    try {
      co_await with_timeout(8s, inner);
    } catch (const timeout_error& late) {
      EXPECT_EQ(late.limit(), 3s);
      note("too late");
    }
  });
  EXPECT_THAT(journal(), ElementsAre("3s writer stopped: deadline", "3s too late"));
}

TEST_P(StalledWriter, AShutdownWaitsForItsLastWordsNoLongerThanTheyMayTake) {
  rt_.block_on([&]() -> task<> {
    const auto last_words = [&]() -> task<> {
      co_await with_cleanup(
          {.grace = 2s}, []() -> task<> { co_await sleep_for(1h); },
          [&]() -> task<> { co_await write_all(); });
    };
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn({.name = "writer"}, last_words);
      co_await sleep_for(1s);
      co_await s.shutdown(5s, "closing down");
    });
    note("closed");
  });
  ASSERT_FALSE(journal().empty());
  EXPECT_EQ(journal().back(), "3s closed");
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].origin, error_origin::cleanup);
}

TEST_P(StalledWriter, ThatCannotBeStoppedIsNamedByTheShutdown) {
  rt_.block_on([&]() -> task<> {
    manual_supervisor jobs{{.name = "jobs"}};
    jobs.open();
    jobs.spawn({.name = "writer"}, flush(20s));
    jobs.spawn({.name = "reader"}, sleeper("reader", 1h));
    co_await sleep_for(1s);
    const shutdown_report report = co_await jobs.shutdown({.grace = 3s}, "closing down");
    note("shut down");
    EXPECT_FALSE(report);
    EXPECT_EQ(report.cancelled, 1u);
    EXPECT_EQ(report.stuck.size(), 1u);
    for (const stuck_child& each : report.stuck) {
      EXPECT_EQ(each.name, "writer");
      EXPECT_THAT(each.waiting_for, HasSubstr("sleep_for"));
      EXPECT_TRUE(each.task.done());
    }
  });
  EXPECT_THAT(journal(), ElementsAre("1s reader stopped: closing down", "20s shut down"));
}

TEST_P(StalledWriter, ADumpSaysWhatItWaitsFor) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> writer = spawn({.name = "writer"}, write_all());
    co_await sleep_for(3s);
    for (const task_info& each : all_tasks()) {
      if (each.task == writer) {
        EXPECT_EQ(each.waiting_for, "write");
        EXPECT_EQ(each.status, task_status::suspended);
      }
    }
    co_await cancel_and_wait(writer, "seen enough");
  });
  EXPECT_THAT(journal(), ElementsAre("3s writer stopped: seen enough"));
}

}  // namespace
}  // namespace coppice
