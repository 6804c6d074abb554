#include "executor/task_annex.h"

#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <string>

namespace coppice::detail {
namespace {

using std::chrono_literals::operator""h;

class TaskAnnex : public testing::Test {
 protected:
  static outcome_cell& cell(const task_ref& of) { return handle_access::cell(of, "test"); }

  executor on_{options{.threads = 1}};
};

TEST_F(TaskAnnex, ATaskHasANameALimitOrNeither) {
  const auto nothing = [] {};
  const task_ref bare = on_.spawn(nothing);
  EXPECT_EQ(bare.name(), "");
  EXPECT_EQ(cell(bare).deadline(), time_point::max());

  const task_ref named = on_.spawn({.name = "reader"}, nothing);
  EXPECT_EQ(named.name(), "reader");
  EXPECT_EQ(cell(named).deadline(), time_point::max());

  const task_ref limited = on_.spawn({.timeout = 1h}, nothing);
  EXPECT_EQ(limited.name(), "");
  EXPECT_EQ(cell(limited).deadline(), cell(limited).spawned_at() + 1h);
}

TEST_F(TaskAnnex, ATaskWithoutOneGetsItWithItsFirstName) {
  std::string seen;
  on_.block_on([&] {
    this_task::rename("late");
    seen = this_task::name();
  });
  EXPECT_EQ(seen, "late");
}

// The price of a task that has none of this; 64 bytes are what memory is given in.
static_assert(sizeof(spawned_cell<void, started_task<void>>) <= 320);
static_assert(sizeof(spawned_cell<long, started_task<long>>) <= 320);

}  // namespace
}  // namespace coppice::detail
