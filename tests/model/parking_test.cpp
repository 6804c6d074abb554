// Going to sleep: a worker counts itself among those who sleep, and looks again; who brings work looks who sleeps.
#include "executor/parking.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/model/models.h"

namespace coppice::detail {
namespace {

using coppice_model::expect_sound;
using coppice_model::expect_wrong;
using coppice_model::exploration;
using coppice_model::model;
using coppice_model::require;
using coppice_model::under_load;
using coppice_model::unneeded_orders;

// What is left out on purpose.
enum class fault { none, no_second_look, no_wake_by_the_last_searcher };

// As worker::find_job() and worker::sleep() do it, around a count of units of work.
class workers {
 public:
  workers(std::size_t count, fault planted) : idle_(count), planted_(planted) {}

  // Until that many units have been taken by all together.
  void run(std::size_t worker, int until) {
    bool searching = false;
    for (;;) {
      if (!searching) {
        searching = idle_.begin_search();
      }
      while (take()) {
        if (std::exchange(searching, false) && idle_.end_search() &&
            planted_ != fault::no_wake_by_the_last_searcher) {
          idle_.wake_one();
        }
      }
      if (taken_.load(std::memory_order_seq_cst) == until) {
        idle_.wake_all();
        return;
      }
      static_cast<void>(idle_.announce(worker, std::exchange(searching, true)));
      if (planted_ != fault::no_second_look && (units_.load(std::memory_order_seq_cst) > 0 ||
                                                taken_.load(std::memory_order_seq_cst) == until)) {
        idle_.retract(worker);
      } else {
        static_cast<void>(idle_.wait(worker, time_point::max()));
      }
    }
  }

  void put() {
    units_.fetch_add(1, std::memory_order_seq_cst);
    if (idle_.wanted()) {
      idle_.wake_one();
    }
  }

 private:
  bool take() {
    int units = units_.load(std::memory_order_seq_cst);
    while (units > 0) {
      if (units_.compare_exchange_strong(units, units - 1, std::memory_order_seq_cst)) {
        taken_.fetch_add(1, std::memory_order_seq_cst);
        return true;
      }
    }
    return false;
  }

  parking idle_;
  const fault planted_;
  atomic<int> units_{0};
  atomic<int> taken_{0};
};

// Each producer brings one unit; all workers come to their end.
void bring(std::size_t sleepers, std::size_t producers, fault planted) {
  workers all(sleepers, planted);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i != sleepers; ++i) {
    threads.emplace_back([&, i] { all.run(i, static_cast<int>(producers)); });
  }
  for (std::size_t i = 0; i != producers; ++i) {
    threads.emplace_back([&] { all.put(); });
  }
}

std::vector<model> models(fault planted, const exploration& how = {}) {
  std::vector<model> all;
  for (const std::size_t sleepers : {1u, 2u}) {
    for (const std::size_t producers : {1u, 2u}) {
      all.push_back({"parking: " + std::to_string(sleepers) + " and " + std::to_string(producers),
                     [=] { bring(sleepers, producers, planted); }, how});
    }
  }
  return all;
}

TEST(ParkingModel, NoWakeUpIsLost) {
  for (const model& each : models(fault::none, under_load(100'000, 30'000))) {
    expect_sound(each);
  }
}

TEST(ParkingModel, NeedsTheSecondLook) {
  expect_wrong(models(fault::no_second_look).front());
}

// But for the one that is asked by virtual time, of which there is no model.
TEST(ParkingModel, NeedsItsOrders) {
  EXPECT_EQ(unneeded_orders("executor/parking.h", {"P1"}, models(fault::none)),
            "return sleepers(word_.load(std::memory_order_seq_cst)) == count_;\n");
}

}  // namespace
}  // namespace coppice::detail
