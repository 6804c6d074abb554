// Setting and clearing alarms.
#include <coppice/detail/alarm.h>

#include "executor/executor_core.h"

#include <cassert>
#include <utility>

namespace coppice::inline v0::detail {

alarm::alarm(rings where) noexcept {
  run = where == rings::anywhere ? &ring_anywhere : &ring_in_the_loop;
}

void alarm::ring_in_the_loop(job& self, worker_core& here) noexcept {
  auto& ringing = static_cast<alarm&>(self);
  here.scope = nullptr;
  ringing.ring(here);
  ringing.release(here);
}

void alarm::ring_anywhere(job& self, worker_core& here) noexcept {
  cancel_node* const scope = here.scope;
  ring_in_the_loop(self, here);
  here.scope = scope;
}

bool alarm::set(time_point due, worker_core& here) {
  if (!clear(here)) {
    return false;
  }
  slot& mine = here.take_slot();
  at = &mine;
  begin(*this, nullptr, here.home, nullptr);
  wait_ = {&mine, mine.arm(*this)};
  const bool published = mine.publish(wait_.generation);
  assert(published);
  static_cast<void>(published);
  keep();
  try {
    here.add_timer(due, wait_);
  } catch (...) {
    static_cast<void>(wait_.claim());
    wait_ = {};
    release(here);
    throw;
  }
  return true;
}

bool alarm::clear(worker_core& here) noexcept {
  if (!wait_) {
    return true;
  }
  if (wait_.claim() != claim_result::won) {
    return false;
  }
  wait_ = {};
  release(here);
  return true;
}

// Whoever has claimed the slot.
void alarm::release(worker_core& here) noexcept {
  slot& done = *std::exchange(at, nullptr);
  done.release();
  here.give_slot(done);
  let_go();
}

}  // namespace coppice::inline v0::detail
