#include "supervision/task_list.h"

#include <gtest/gtest.h>

#include <latch>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/json.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::is_json;

class TaskList : public testing_support::accounted_test {};

task_info info(std::uint64_t id, std::uint64_t parent, std::string name) {
  task_info result;
  result.id = task_id{id};
  result.parent = task_id{parent};
  result.name = std::move(name);
  return result;
}

std::string printed(const std::vector<task_info>& tasks, dump_format format = dump_format::text) {
  std::ostringstream out;
  print_tasks(out, tasks, format);
  return out.str();
}

TEST_F(TaskList, PrintsALineATaskIndentedUnderItsParent) {
  task_info second = info(2, 1, "b");
  second.status = task_status::suspended;
  second.waiting_for = "sleep";
  second.age = 1500ms;
  second.cancel_requested = true;
  second.site = {"file.cpp", "f", 7};
  const std::string text = printed({info(1, 0, "a"), second, info(3, 99, "")});
  EXPECT_EQ(
      text,
      "task 1 \"a\" pending, 0 old\n"
      "  task 2 \"b\" suspended on sleep for 0, 1.5s old, asked to stop, spawned at file.cpp:7\n"
      "task 3 pending, 0 old\n");
}

TEST_F(TaskList, PrintsJsonWithEveryField) {
  const std::string json = printed({info(1, 0, "a \"quoted\" one")}, dump_format::json);
  EXPECT_TRUE(is_json(json)) << json;
  for (const char* field : {"id", "parent", "name", "scope", "status", "age_ns", "waiting_for",
                            "cancel_requested", "file", "line", "function"}) {
    EXPECT_NE(json.find('"' + std::string(field) + "\":"), std::string::npos) << field;
  }
  EXPECT_NE(json.find("a \\\"quoted\\\" one"), std::string::npos);
}

TEST_F(TaskList, ListsWhatLivesAndSaysWhatIsStuck) {
  std::latch running(1);
  std::latch released(1);
  accounted_executor tasks({.threads = 2});
  tasks.spawn({.name = "sleeping"}, []() -> task<> { co_await sleep_for(forever); });
  tasks.spawn({.name = "computing"}, [&] {
    running.count_down();
    released.wait();
  });
  running.wait();
  while (tasks.live_tasks()[0].status() != task_status::suspended) {
    std::this_thread::yield();
  }
  const std::vector<task_info> all = tasks_of(tasks);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "sleeping");
  EXPECT_EQ(all[1].name, "computing");
  const std::vector<stuck_child> stuck = stuck_tasks(tasks);
  ASSERT_EQ(stuck.size(), 2u);
  EXPECT_EQ(stuck[0].waiting_for, "sleep_for");
  EXPECT_EQ(stuck[1].waiting_for, "running");
  testing::internal::CaptureStderr();
  print_stuck(tasks);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("2 task(s)"), std::string::npos) << text;
  EXPECT_NE(text.find("computing"), std::string::npos) << text;
  released.count_down();
}

}  // namespace
}  // namespace coppice::detail
