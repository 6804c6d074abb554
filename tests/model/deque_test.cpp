// The deque: its last item, its growth, its two parts, and who is told that there is something to steal.
#include <coppice/detail/deque.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tests/model/models.h"

namespace coppice::detail {
namespace {

using coppice_model::expect_sound;
using coppice_model::exploration;
using coppice_model::model;
using coppice_model::require;
using coppice_model::under_load;

constexpr const char* header = "executor/include/coppice/detail/deque.h";
constexpr auto relaxed = std::memory_order_relaxed;

// Is written before it is pushed, and read by whoever takes it: the explorer sees whether that one may.
struct item {
  atomic<int> made{0};
  atomic<int> taken{0};

  void take() {
    require(made.load(relaxed) == 1, "an item is taken whose making is not seen");
    require(taken.fetch_add(1, relaxed) == 0, "an item is taken twice");
  }
};

// What a model has: a deque and items, each of which must come out once.
class scene {
 public:
  explicit scene(std::size_t capacity, deque<item>::index origin = 0) : jobs(capacity, origin) {}

  item* fresh() noexcept {
    item& next = items_[made_++];
    next.made.store(1, relaxed);
    return &next;
  }

  bool push() { return jobs.push(fresh()); }

  bool pop() {
    item* const found = jobs.pop();
    if (found != nullptr) {
      found->take();
    }
    return found != nullptr;
  }

  bool steal() {
    item* const found = jobs.steal();
    if (found != nullptr) {
      found->take();
    }
    return found != nullptr;
  }

  // By the owner, behind the thieves.
  void expect_all_taken() {
    while (pop()) {
    }
    for (std::size_t i = 0; i != made_; ++i) {
      require(items_[i].taken.load(relaxed) == 1, "an item is lost");
    }
  }

  deque<item> jobs;

 private:
  std::array<item, 8> items_{};
  std::size_t made_ = 0;
};

// ---- The last item ------------------------------------------------------------------------------

// One or two are public; the owner takes from the other end than the thieves.
void last_item(std::size_t items, int thieves) {
  scene shared(2);
  for (std::size_t i = 0; i != items; ++i) {
    shared.push();
  }
  shared.jobs.publish();
  {
    std::vector<std::jthread> running;
    for (int i = 0; i != thieves; ++i) {
      running.emplace_back([&] {
        shared.steal();
        shared.steal();
      });
    }
    shared.pop();
    shared.pop();
  }
  shared.expect_all_taken();
}

// ---- Both parts ---------------------------------------------------------------------------------

// The owner hides the newer half again, and pushes into it, while thieves look.
void taking_back(std::size_t items) {
  scene shared(4);
  for (std::size_t i = 0; i != items; ++i) {
    shared.push();
  }
  shared.jobs.publish();
  {
    const auto steal = [&] {
      shared.steal();
      shared.steal();
    };
    const std::jthread one(steal);
    const std::jthread other(steal);
    shared.pop();
    shared.push();
    shared.pop();
    shared.pop();
  }
  shared.expect_all_taken();
}

// ---- Growth -------------------------------------------------------------------------------------

// From two places to four, and once around the ring, where indices wrap.
void growing(deque<item>::index origin) {
  scene shared(2, origin);
  shared.push();
  {
    const auto steal = [&] {
      shared.steal();
      shared.steal();
    };
    const std::jthread one(steal);
    const std::jthread other(steal);
    shared.push();
    shared.push();
    shared.push();
    shared.jobs.publish();
    shared.pop();
    shared.push();
  }
  shared.expect_all_taken();
}

// A slot is used again once its item is gone; a thief may still look at it.
void reusing() {
  scene shared(2);
  {
    const auto steal = [&] {
      shared.steal();
      shared.steal();
    };
    const std::jthread one(steal);
    const std::jthread other(steal);
    for (int i = 0; i != 5; ++i) {
      shared.push();
      shared.jobs.publish();
      shared.pop();
    }
  }
  shared.expect_all_taken();
}

// ---- Who is told --------------------------------------------------------------------------------

// A thief says that it sleeps and looks once more; the owner pushes and looks for sleepers, if the push says so (D5).
// The owner's next pop finds one item hidden that it must show again.
void telling(std::size_t before) {
  scene shared(4);
  atomic<int> asleep{0};
  bool sleeps = false;
  bool told = false;
  for (std::size_t i = 0; i != before; ++i) {
    shared.push();
  }
  {
    const std::jthread thief([&] {
      shared.steal();
      asleep.fetch_add(1, std::memory_order_seq_cst);
      sleeps = !shared.jobs.has_public();
    });
    const auto look_for_sleepers = [&](bool published) {
      told |= published && asleep.load(std::memory_order_seq_cst) != 0;
    };
    look_for_sleepers(shared.push());
    look_for_sleepers(shared.jobs.publish());
    shared.pop();
    look_for_sleepers(shared.jobs.share());
  }
  require(!sleeps || told || !shared.jobs.has_public(), "a thief sleeps beside public work");
  shared.expect_all_taken();
}

// Thieves are faster than the owner, that meant to hide the newer half, and so shows again what one of them may just
// have missed.
void showing_again() {
  scene shared(4);
  atomic<int> asleep{0};
  bool sleeps = false;
  bool told = false;
  for (int i = 0; i != 4; ++i) {
    shared.push();
  }
  shared.jobs.publish();
  {
    const std::jthread thief([&] {
      shared.steal();
      shared.steal();
      asleep.fetch_add(1, std::memory_order_seq_cst);
      sleeps = !shared.jobs.has_public();
    });
    shared.pop();
    told = shared.jobs.share() && asleep.load(std::memory_order_seq_cst) != 0;
  }
  require(!sleeps || told || !shared.jobs.has_public(), "a thief sleeps beside public work");
  shared.expect_all_taken();
}

// ---- All of them --------------------------------------------------------------------

std::vector<model> models(const exploration& how) {
  std::vector<model> all;
  for (const std::size_t items : {1u, 2u}) {
    for (const int thieves : {1, 2}) {
      all.push_back(
          {"deque: last item, " + std::to_string(items) + " with " + std::to_string(thieves),
           [=] { last_item(items, thieves); }, how});
    }
  }
  for (const std::size_t items : {2u, 3u, 4u}) {
    all.push_back(
        {"deque: taking back " + std::to_string(items), [=] { taking_back(items); }, how});
  }
  all.push_back({"deque: growing", [] { growing(0); }, how});
  all.push_back({"deque: growing, wrapped", [] { growing(~deque<item>::index{0}); }, how});
  all.push_back({"deque: reusing", reusing, how});
  for (const std::size_t before : {0u, 1u, 2u}) {
    all.push_back({"deque: telling " + std::to_string(before), [=] { telling(before); }, how});
  }
  all.push_back({"deque: showing again", showing_again, how});
  return all;
}

TEST(DequeModel, EveryItemComesOutOnceAndNobodySleepsBesideOne) {
  for (const model& each : models(under_load(100'000, 30'000))) {
    expect_sound(each);
  }
}

// Of the first two either would do, as the next test shows. The last keeps a store from being seen by a load that
// came before it: no processor known to us lets it, and neither does the explorer.
TEST(DequeModel, NeedsItsOrders) {
  EXPECT_EQ(coppice_model::unneeded_orders(header, {"D1", "D2", "D3", "D4", "D5"}, models({})),
            "const index top = top_.load(std::memory_order_seq_cst);\n"
            "return top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,\n"
            "const index top = top_.load(std::memory_order_acquire);\n");
}

TEST(DequeModel, NeedsTopInTotalOrderOnOneSide) {
  std::vector<coppice_model::weakening> both;
  for (const auto& each : coppice_model::labelled(header, "D3")) {
    if (coppice_model::text_at(each).find("seq_cst") != std::string::npos) {
      both.push_back(each);
    }
  }
  EXPECT_EQ(both.size(), 2u);
  coppice_model::weaken(both);
  coppice_model::expect_wrong({"deque: taking back 3", [] { taking_back(3); }, {}});
  coppice_model::weaken({});
}

}  // namespace
}  // namespace coppice::detail
