// Tasks that wait for something, and that something may stop before it comes.
#pragma once

#include <coppice/group.h>
#include <coppice/task.h>
#include <coppice/time.h>

#include <chrono>

#include "tests/support/racing.h"

namespace coppice::testing_support::inline waiting {

inline task<> give_way(unsigned times) {
  for (unsigned i = 0; i != times; ++i) {
    co_await yield();
  }
}

inline task<> cancel_later(task_ref target, unsigned delay) {
  co_await give_way(delay);
  target.cancel("raced");
}

// Spawns it, and cancels it soon, or lets its time be up, or neither. True if nothing shall stop it.
template <class Waiting>
bool start_and_perhaps_stop(task_group& all, const Waiting& waiting, dice& random) {
  switch (random() % 4) {
    case 0:
      all.spawn(waiting);
      return true;
    case 1:
      all.spawn([waiting, limit = std::chrono::microseconds(random() % 20)]() -> task<> {
        co_await move_on_after(limit, waiting);
      });
      return false;
    default:
      all.spawn(cancel_later, all.spawn(waiting), random() % 4);
      return false;
  }
}

}  // namespace coppice::testing_support::inline waiting
