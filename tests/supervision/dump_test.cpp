#include <coppice/dump.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/accounted_runtime.h"
#include "tests/support/json.h"
#include "tests/support/load.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_runtime;
using testing_support::is_json;
using testing_support::jumping_clock;
using testing_support::rounds;

class Dump : public testing_support::accounted_test {};

task<> sleeper(duration d) {
  co_await sleep_for(d);
}

std::string dumped(const runtime& rt, dump_format format = dump_format::text) {
  std::ostringstream out;
  rt.dump_tasks(out, format);
  return out.str();
}

const task_info* find(const std::vector<task_info>& tasks, task_id id) {
  const auto found = std::find_if(tasks.begin(), tasks.end(),
                                  [id](const task_info& each) { return each.id == id; });
  return found == tasks.end() ? nullptr : &*found;
}

TEST_F(Dump, OfNoTaskSaysSo) {
  const accounted_runtime rt({.threads = 1});
  EXPECT_EQ(dumped(rt), "no live task\n");
  EXPECT_TRUE(is_json(dumped(rt, dump_format::json)));
  EXPECT_TRUE(rt.all_tasks().empty());
}

TEST_F(Dump, TellsWhatIsKnownOfATask) {
  accounted_runtime rt({.threads = 1}, &jumping_clock);
  rt.block_on([&]() -> task<> {
    const task_handle<> handle = spawn({.name = "the sleeper"}, sleeper, 1h);
    const std::uint32_t line = __builtin_LINE() - 1;
    co_await sleep_for(5ms);
    handle.cancel();
    const std::vector<task_info> tasks = all_tasks();
    const task_info* const info = find(tasks, handle.id());
    EXPECT_EQ(tasks.size(), 2u);
    if (info == nullptr) {
      ADD_FAILURE() << "a live task is missing";
      co_return;
    }
    EXPECT_EQ(info->task, handle);
    EXPECT_EQ(info->name, "the sleeper");
    EXPECT_EQ(info->parent, task_id::none);
    EXPECT_EQ(info->site.line, line);
    EXPECT_EQ(info->status, task_status::suspended);
    EXPECT_EQ(info->waiting_for, "sleep_for");
    EXPECT_EQ(info->age, 5ms);
    EXPECT_EQ(info->waiting, 5ms);
    EXPECT_TRUE(info->cancel_requested);
    const task_info* const mine = find(tasks, this_task::id());
    EXPECT_TRUE(mine != nullptr && mine->status == task_status::running);
    EXPECT_TRUE(mine != nullptr && mine->waiting_for.empty());
  });
}

TEST_F(Dump, HasParentsBeforeTheirChildrenAndIndentsThem) {
  accounted_runtime rt({.threads = 1}, &jumping_clock);
  rt.block_on([&]() -> task<> {
    const auto parent = []() -> task<> {
      co_await with_group([](task_group& g) -> task<> {
        g.spawn({.name = "child"}, sleeper, 1s);
        co_return;
      });
    };
    const task_handle<> one = spawn({.name = "one"}, parent);
    const task_handle<> two = spawn({.name = "two"}, parent);
    co_await sleep_for(1ms);
    std::ostringstream out;
    dump_tasks(out);
    const std::string text = out.str();
    const auto at = [&](std::string_view what) { return text.find(what); };
    EXPECT_LT(at("task "), at("\n  task ")) << text;
    EXPECT_EQ(at("\n    task "), std::string::npos) << text;
    EXPECT_LT(at("\"one\""), at("\"child\"")) << text;
    std::map<task_id, std::size_t> places;
    for (const task_info& each : all_tasks()) {
      EXPECT_TRUE(each.parent == task_id::none || places.contains(each.parent));
      places.emplace(each.id, places.size());
    }
    EXPECT_EQ(places.size(), 5u);
    co_await one;
    co_await two;
  });
}

TEST_F(Dump, TellsSinceWhenATaskWaitsForItsChildren) {
  accounted_runtime rt({.threads = 1}, &jumping_clock);
  rt.block_on([&]() -> task<> {
    const task_handle<> handle = spawn([]() -> task<> {
      co_await sleep_for(2ms);
      co_await gather(sleeper(1h), sleeper(1h));
    });
    co_await sleep_for(5ms);
    const std::vector<task_info> tasks = all_tasks();
    const task_info* const info = find(tasks, handle.id());
    EXPECT_TRUE(info != nullptr && info->waiting_for == "its children");
    EXPECT_TRUE(info != nullptr && info->waiting == 3ms);
    handle.cancel();
  });
}

TEST_F(Dump, WritesJsonWhateverTheNames) {
  accounted_runtime rt({.threads = 1});
  rt.spawn({.name = "quote \" backslash \\ line\nbreak tab\t bell\a nul"}, sleeper, 1h);
  rt.spawn({.name = std::string_view("inner\0nul", 9)}, sleeper, 1h);
  rt.spawn({.name = "caf\xc3\xa9"}, sleeper, 1h);
  rt.spawn({.name = "no text: \xff\xc3"}, sleeper, 1h);
  const std::string json = dumped(rt, dump_format::json);
  EXPECT_TRUE(is_json(json)) << json;
}

TEST_F(Dump, OutsideATaskTheFreeFormsAreAUsageError) {
  std::ostringstream out;
  EXPECT_THROW(dump_tasks(out), usage_error);
  EXPECT_THROW(all_tasks(), usage_error);
}

TEST_F(Dump, IsTakenWhileAThousandTasksChurn) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  accounted_runtime rt({.threads = 2});
  std::atomic<bool> enough{false};
  rt.block_on([&]() -> task<> {
    std::minstd_rand random(seed);
    const auto churn = [&](unsigned mine) -> task<> {
      std::minstd_rand here(mine);
      while (!enough.load(std::memory_order_relaxed)) {
        this_task::rename("renamed " + std::to_string(here() % 10));
        const task_handle<> child =
            spawn({.name = "child"}, sleeper, std::chrono::microseconds(here() % 50));
        if (here() % 4 == 0) {
          child.cancel();
        }
        co_await sleep_for(std::chrono::microseconds(here() % 100));
      }
    };
    std::vector<task_handle<>> all;
    for (int i = 0; i != 1'000; ++i) {
      all.push_back(spawn(churn, static_cast<unsigned>(random())));
    }
    std::jthread watching([&] {
      for (long i = rounds(1'000, 20); i != 0; --i) {
        const std::string json = dumped(rt, dump_format::json);
        EXPECT_TRUE(is_json(json));
        EXPECT_NE(dumped(rt).find("renamed"), std::string::npos);
        EXPECT_GE(rt.all_tasks().size(), 1'000u);
      }
      enough = true;
    });
    for (const task_handle<>& each : all) {
      co_await each;
    }
  });
}

}  // namespace
}  // namespace coppice
