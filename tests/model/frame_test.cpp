// Blocks of memory that are given back on another worker, and go home.
#include <coppice/detail/frame_cache.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string>
#include <thread>

#include "tests/model/models.h"

namespace coppice::detail {
namespace {

using coppice_model::expect_sound;
using coppice_model::exploration;
using coppice_model::frozen_at;
using coppice_model::model;
using coppice_model::require;
using coppice_model::under_load;
using coppice_model::unneeded_orders;

constexpr std::size_t block_bytes = 2048;
constexpr std::size_t blocks = 31;  // Of a slab: then the owner looks for what has come home.

// Caches live as long as the process, as those of workers do.
struct caches {
  frame_cache& owner = frame_cache::acquire();
  frame_cache& first = frame_cache::acquire();
  frame_cache& second = frame_cache::acquire();
};

// Two others give back a block each, of which the owner then takes what it can.
void going_home(caches& of) {
  std::array<void*, blocks> taken{};
  for (void*& each : taken) {
    each = of.owner.allocate(block_bytes);
    *static_cast<int*>(each) = 1;
  }
  {
    const auto give_back = [](frame_cache& by, void* block) {
      return [&by, block] {
        *static_cast<int*>(block) = 2;
        by.deallocate(block, block_bytes);
        by.flush();
      };
    };
    const std::jthread one(give_back(of.first, taken[0]));
    const std::jthread other(give_back(of.second, taken[1]));
    void* const again = of.owner.allocate(block_bytes);
    *static_cast<int*>(again) = 3;
    of.owner.deallocate(again, block_bytes);
  }
  for (std::size_t i = 2; i != blocks; ++i) {
    of.owner.deallocate(taken[i], block_bytes);
  }
  require(of.owner.live_blocks() == 0, "a block is lost on its way home");
  of.owner.trim(0);
}

class FrameModel : public testing::Test {
 protected:
  model of(const exploration& how) {
    return {"frames: going home", [this] { going_home(caches_); }, how};
  }

 private:
  caches caches_;
};

TEST_F(FrameModel, EveryBlockComesHomeOnce) {
  expect_sound(of(under_load(100'000, 30'000)));
}

TEST_F(FrameModel, NeedsItsOrders) {
  EXPECT_EQ(unneeded_orders("executor/frames.cpp", {"F1"}, {of({})}), "");
}

TEST_F(FrameModel, NobodyWaitsForOneThatStandsStill) {
  for (const std::size_t frozen : {1u, 2u}) {
    expect_sound(frozen_at(of(under_load(20'000, 3'000)), frozen));
  }
}

}  // namespace
}  // namespace coppice::detail
