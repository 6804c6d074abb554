#include <coppice/detail/ticket_queue.h>

#include <coppice/detail/suspension.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <new>
#include <utility>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/bare_wait.h"
#include "tests/support/failing_new.h"

namespace coppice::detail {
namespace {

using testing_support::bare_wait;

// Waits in a slot of its own, and notes its number when it goes on.
class numbered_wait : public suspension, public job {
 public:
  numbered_wait(executor_core& home, int number, std::vector<int>& into)
      : number_(number), into_(&into) {
    run = [](job& self, worker_core&) noexcept { static_cast<numbered_wait&>(self).note(); };
    begin(*this, nullptr, home, nullptr);
    wait_ = {&slot_, slot_.arm(*this)};
    EXPECT_TRUE(slot_.publish(wait_.generation));
  }

  const ticket& wait() const noexcept { return wait_; }
  void end() { EXPECT_EQ(wait_.claim(), claim_result::won); }

 private:
  void note() noexcept { into_->push_back(number_); }

  const int number_;
  std::vector<int>* const into_;
  slot slot_;
  ticket wait_;
};

class TicketQueue : public testing::Test {
 protected:
  void add(int count) {
    for (int i = 0; i != count; ++i) {
      waits_.emplace_back(home(), static_cast<int>(waits_.size()), went_on_);
      queue_.add(waits_.back().wait());
    }
  }

  // Of all that wait.
  void end_all_and_await() {
    queue_.end_all();
    bare_wait behind;
    behind.begin_on(home());
    behind.resume();
    behind.await_done();
  }

  executor_core& home() { return *on_.state().core; }

  std::vector<int> went_on_;
  std::deque<numbered_wait> waits_;
  executor on_{{.threads = 1}};
  ticket_queue queue_;
};

TEST_F(TicketQueue, HasNobodyAtFirst) {
  EXPECT_FALSE(queue_.someone_waits());
  queue_.end_all();
  EXPECT_EQ(queue_.room(), 0u);
}

TEST_F(TicketQueue, EndsAllWaitsInTheirOrder) {
  for (const int count : {1, 2, 3, 8, 9, 100, 1'000}) {
    const std::size_t before = waits_.size();
    went_on_.clear();
    add(count);
    EXPECT_TRUE(queue_.someone_waits());
    end_all_and_await();
    ASSERT_EQ(went_on_.size(), static_cast<std::size_t>(count));
    EXPECT_EQ(went_on_.front(), static_cast<int>(before));
    EXPECT_TRUE(std::ranges::is_sorted(went_on_));
    EXPECT_FALSE(queue_.someone_waits());
    EXPECT_EQ(queue_.room(), 0u);
  }
}

TEST_F(TicketQueue, KeepsTheOrderOfThoseWhoAreLeft) {
  add(5'000);
  for (std::size_t i = 0; i != waits_.size(); ++i) {
    if (i % 7 != 0) {
      waits_[i].end();
    }
  }
  add(5'000);  // Sweeps.
  end_all_and_await();
  std::vector<int> expected;
  for (int i = 0; i != 10'000; ++i) {
    if (i >= 5'000 || i % 7 == 0) {
      expected.push_back(i);
    }
  }
  EXPECT_EQ(went_on_, expected);
}

TEST_F(TicketQueue, NobodyWaitsWhenAllHaveEndedOtherwise) {
  add(500);
  for (numbered_wait& each : waits_) {
    each.end();
  }
  EXPECT_FALSE(queue_.someone_waits());
  end_all_and_await();
  EXPECT_TRUE(went_on_.empty());
}

// One waits all the time, thousands come and go.
TEST_F(TicketQueue, MemoryIsThatOfThoseWhoWaitAtOnce) {
  add(1);
  for (int i = 0; i != 20'000; ++i) {
    add(1);
    waits_.back().end();
  }
  EXPECT_EQ(queue_.room(), 0u);
  const std::size_t many = 1'000;
  std::size_t first = waits_.size();
  std::size_t most = 0;
  for (std::size_t i = 0; i != 50 * many; ++i) {
    add(1);
    if (waits_.size() - first > many) {
      waits_[first++].end();
    }
    most = std::max(most, queue_.room());
  }
  EXPECT_LE(most, 4 * many);
  end_all_and_await();
  EXPECT_EQ(went_on_.size(), many + 1);
}

TEST_F(TicketQueue, WithoutMemoryKeepsWhatItHas) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  add(2);
  waits_.emplace_back(home(), 2, went_on_);
  {
    const testing_support::fail_allocation_at failure(1, testing_support::failing_threads::caller);
    EXPECT_THROW(queue_.add(waits_.back().wait()), std::bad_alloc);
  }
  queue_.add(waits_.back().wait());
  end_all_and_await();
  EXPECT_EQ(went_on_, (std::vector<int>{0, 1, 2}));
}

TEST_F(TicketQueue, TakesOverWhatAnotherHas) {
  for (const int count : {0, 1, 2, 3, 700}) {
    went_on_.clear();
    add(count);
    ticket_queue other(std::move(queue_));
    EXPECT_FALSE(queue_.someone_waits());
    EXPECT_EQ(other.someone_waits(), count != 0);
    add(1);
    other.end_all();
    end_all_and_await();
    EXPECT_EQ(went_on_.size(), static_cast<std::size_t>(count) + 1);
    EXPECT_TRUE(std::ranges::is_sorted(went_on_));
  }
}

}  // namespace
}  // namespace coppice::detail
