#include <coppice/detail/woken_list.h>
#include <gtest/gtest.h>

#include <array>
#include <mutex>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/bare_wait.h"

namespace coppice::detail {
namespace {

using testing_support::bare_wait;

// Notes its number when it goes on.
class numbered_wait : public suspension, public job {
 public:
  numbered_wait() {
    run = [](job& self, worker_core&) noexcept { static_cast<numbered_wait&>(self).note(); };
  }

  void begin_on(executor_core& home, int number, std::vector<int>& into) {
    begin(*this, nullptr, home, nullptr);
    number_ = number;
    into_ = &into;
  }

 private:
  void note() noexcept { into_->push_back(number_); }

  int number_ = 0;
  std::vector<int>* into_ = nullptr;
};

TEST(WokenList, NobodyGoesOnBeforeTheListGoes) {
  executor on({.threads = 1});
  bare_wait waiting;
  waiting.begin_on(*on.state().core);
  {
    woken_list woken;
    woken.add(waiting, *on.state().core);
    EXPECT_FALSE(waiting.done);
  }
  waiting.await_done();
}

// From a worker, and from a thread that is none.
TEST(WokenList, AllGoOnInTheirOrder) {
  std::vector<int> ran;
  std::array<numbered_wait, 40> waiting;
  {
    executor on({.threads = 1});
    executor_core& core = *on.state().core;
    for (std::size_t i = 0; i != waiting.size(); ++i) {
      waiting[i].begin_on(core, static_cast<int>(i), ran);
    }
    bare_wait first_half_ran;
    first_half_ran.begin_on(core);
    {
      woken_list woken;
      for (std::size_t i = 0; i != waiting.size() / 2; ++i) {
        woken.add(waiting[i], core);
      }
      woken.add(first_half_ran, core);
    }
    first_half_ran.await_done();
    on.block_on([&]() -> task<> {
      bare_wait last;
      last.begin_on(core);
      {
        woken_list woken;
        for (std::size_t i = waiting.size() / 2; i != waiting.size(); ++i) {
          woken.add(waiting[i], core);
        }
        woken.add(last, core);
      }
      while (!last.done) {
        co_await yield();
      }
    });
  }
  ASSERT_EQ(ran.size(), waiting.size());
  for (std::size_t i = 0; i != ran.size(); ++i) {
    EXPECT_EQ(ran[i], static_cast<int>(i));
  }
}

TEST(WokenList, EachGoesOnWhereItWaits) {
  executor one({.threads = 1});
  executor other({.threads = 1});
  std::array<bare_wait, 4> waiting;
  {
    woken_list woken;
    for (std::size_t i = 0; i != waiting.size(); ++i) {
      executor_core& home = *(i % 2 == 0 ? one : other).state().core;
      waiting[i].begin_on(home);
      woken.add(waiting[i], home);
    }
  }
  for (std::size_t i = 0; i != waiting.size(); ++i) {
    waiting[i].await_done();
    EXPECT_EQ(&waiting[i].ran_on->home, (i % 2 == 0 ? one : other).state().core.get());
  }
}

TEST(WokenList, OneAloneGoesAheadOfOthers) {
  executor on({.threads = 1});
  bare_wait waiting;
  waiting.begin_on(*on.state().core);
  bool was_first = false;
  on.block_on([&]() -> task<> {
    task_handle<> older = spawn([&] { was_first = waiting.done; });
    {
      woken_list woken;
      woken.add(waiting, *on.state().core);
    }
    co_await older;
  });
  EXPECT_TRUE(was_first);
}

}  // namespace
}  // namespace coppice::detail
