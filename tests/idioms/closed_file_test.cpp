// A cleanup writes to a closed file while its task is being cancelled: no failure hides another.
#include <sstream>

#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class log_file {
 public:
  void write(std::string_view text) {
    if (!open_) {
      throw std::runtime_error("write to a closed file");
    }
    text_ += text;
  }
  void close() { open_ = false; }
  const std::string& text() const { return text_; }

 private:
  bool open_ = true;
  std::string text_;
};

class ClosedFile : public testing_support::idiom_test {
 protected:
  static task<> writer(log_file& file) {
    co_await with_cleanup([]() -> task<> { co_await sleep_for(1h); }, [&] { file.write("bye"); });
  }

  static task<> losing_the_network(log_file& file) {
    co_await sleep_for(1s);
    file.close();
    throw std::runtime_error("network down");
  }

  log_file file_;
};

INSTANTIATE_TEST_SUITE_P(Workers, ClosedFile, testing::Values(1u, 2u, 4u));

TEST_P(ClosedFile, OpenItIsWrittenAndTheTaskIsCancelled) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> job = spawn(writer(file_));
    co_await sleep_for(1s);
    co_await cancel_and_wait(job, "closing down");
    EXPECT_EQ(job.status(), task_status::cancelled);
  });
  EXPECT_EQ(file_.text(), "bye");
  EXPECT_EQ(reports_.size(), 0u);
}

TEST_P(ClosedFile, TheTaskFailsAndSaysThatItWasBeingCancelled) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> job = spawn(writer(file_));
    co_await sleep_for(1s);
    file_.close();
    co_await cancel_and_wait(job, "closing down");
    EXPECT_EQ(job.status(), task_status::failed);
    const error_entry& failure = job.result().entry();
    EXPECT_EQ(failure.message(), "write to a closed file");
    EXPECT_TRUE(failure.context() != nullptr && failure.context()->message() == "closing down");
    EXPECT_TRUE(failure.suppressed().empty());
  });
}

TEST_P(ClosedFile, NobodyAwaitsTheTaskSoItIsReportedWithItsContext) {
  rt_.block_on([&]() -> task<> {
    spawn({.name = "writer"}, writer(file_));
    co_await sleep_for(1s);
    file_.close();
  });
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].origin, error_origin::child);
  EXPECT_EQ(told[0].entry.name(), "writer");
  ASSERT_NE(told[0].entry.context(), nullptr);
  EXPECT_EQ(told[0].entry.context()->kind(), cancel_kind::shutdown);
}

TEST_P(ClosedFile, AGroupThrowsBothInTheOrderInWhichTheyCame) {
  const auto body = [&](task_group& g) -> task<> {
    g.spawn({.name = "writer"}, writer(file_));
    g.spawn({.name = "network"}, losing_the_network(file_));
    co_return;
  };
  const outcome<> end =
      rt_.block_on([&]() -> task<outcome<>> { co_return co_await as_result(with_group(body)); });
  ASSERT_EQ(testing_support::leaves_of(end.entry()), "[network down, write to a closed file]");
  const auto failures = end.entry().get_if<exception_group>()->exceptions();
  EXPECT_EQ(failures[0].name(), "network");
  EXPECT_EQ(failures[0].context(), nullptr);
  EXPECT_EQ(failures[1].name(), "writer");
  ASSERT_NE(failures[1].context(), nullptr);
  EXPECT_EQ(failures[1].context()->kind(), cancel_kind::sibling_failed);
  EXPECT_EQ(reports_.size(), 0u);  // Both were thrown; nobody hears of them twice.
}

TEST_P(ClosedFile, ThePrintedGroupSaysWhatHappenedDuringWhat) {
  const auto body = [&](task_group& g) -> task<> {
    g.spawn(writer(file_));
    g.spawn(losing_the_network(file_));
    co_return;
  };
  std::string printed;
  try {
    rt_.block_on([&]() -> task<> { co_await with_group(body); });
  } catch (const exception_group& group) {
    printed = group.format();
  }
  const std::size_t second = printed.find("write to a closed file");
  ASSERT_NE(second, std::string::npos) << printed;
  EXPECT_LT(printed.find("network down"), second) << printed;
  EXPECT_THAT(printed.substr(second), HasSubstr("while being cancelled because sibling_failed"));
}

TEST_P(ClosedFile, GatherThrowsTheFirstAndTheOtherIsReportedBesideIt) {
  const outcome<> end = rt_.block_on([&]() -> task<outcome<>> {
    co_return co_await as_result(
        [&]() -> task<> { co_await gather_or_abort(writer(file_), losing_the_network(file_)); }());
  });
  EXPECT_EQ(end.entry().message(), "network down");
  ASSERT_EQ(end.entry().suppressed().size(), 1u);
  EXPECT_EQ(end.entry().suppressed()[0].message(), "write to a closed file");
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].origin, error_origin::suppressed);
  EXPECT_EQ(told[0].entry.message(), "write to a closed file");
  ASSERT_NE(told[0].entry.context(), nullptr);
  EXPECT_EQ(told[0].entry.context()->kind(), cancel_kind::sibling_failed);
}

TEST_P(ClosedFile, BesideTheBodysOwnFailureItIsASuppressedOne) {
  const auto job = [&]() -> task<> {
    co_await with_cleanup(losing_the_network(file_), [&] { file_.write("bye"); });
  };
  const outcome<> end =
      rt_.block_on([&]() -> task<outcome<>> { co_return co_await as_result(job()); });
  EXPECT_EQ(end.entry().message(), "network down");
  EXPECT_EQ(end.entry().context(), nullptr);
  ASSERT_EQ(end.entry().suppressed().size(), 1u);
  EXPECT_EQ(end.entry().suppressed()[0].message(), "write to a closed file");
}

TEST_P(ClosedFile, AfterASuccessItIsThrownItself) {
  rt_.block_on([&]() -> task<> {
    file_.close();
    const outcome<int> end = co_await as_result(
        with_cleanup([]() -> task<int> { co_return 7; }, [&] { file_.write("bye"); }));
    EXPECT_TRUE(end.failed());
    EXPECT_EQ(end.entry().message(), "write to a closed file");
    EXPECT_EQ(end.entry().context(), nullptr);
  });
}

TEST_P(ClosedFile, AnOnExitHandlerOwnsTheFileAndFailsInTheSameWay) {
  const auto shared = std::make_shared<log_file>();
  const auto job = [shared]() -> task<> {
    const auto say_goodbye = [shared] { shared->write("bye"); };
    co_await on_exit(say_goodbye);
    co_await sleep_for(1h);
  };
  rt_.block_on([&]() -> task<> {
    const task_handle<> running = spawn(job);
    co_await sleep_for(1s);
    shared->close();
    co_await cancel_and_wait(running, "closing down");
    const error_entry& failure = running.result().entry();
    EXPECT_EQ(failure.message(), "write to a closed file");
    EXPECT_TRUE(failure.context() != nullptr && failure.context()->message() == "closing down");
  });
  EXPECT_THAT(reports_.messages(), ElementsAre("write to a closed file"));
}

TEST_P(ClosedFile, TheReportReadsAsATree) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> job = spawn({.name = "writer"}, writer(file_));
    co_await sleep_for(1s);
    file_.close();
    co_await cancel_and_wait(job, "closing down");
  });
  const std::vector<error_report> told = reports_.take();
  ASSERT_EQ(told.size(), 1u);
  std::ostringstream text;
  text << told[0];
  EXPECT_THAT(text.str(), HasSubstr("std::runtime_error: write to a closed file"));
  EXPECT_THAT(text.str(), HasSubstr("\"writer\""));
  EXPECT_THAT(text.str(), HasSubstr("while being cancelled because requested: closing down"));
}

}  // namespace
}  // namespace coppice
