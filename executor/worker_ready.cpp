// How what is ready to go on comes to a worker.
#include "executor/executor_core.h"
#include "executor/worker.h"

namespace coppice::inline v0::detail {

// Wakes come as a stack; they are put into order of arrival.
bool worker::collect_wakes() noexcept {
  while (backlog_first_ != nullptr) {
    job* const later = backlog_first_->next;  // Once it is public, a thief may have run it.
    if (ready_.try_push(backlog_first_) == push_result::full) {
      break;
    }
    backlog_first_ = later;
    ready_.publish();
  }
  if (!home.wakes_in_sight()) {
    return false;
  }
  job* newest = home.take_wakes();
  job* oldest = nullptr;
  while (newest != nullptr) {
    job* const earlier = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = earlier;
  }
  if (oldest == nullptr) {
    return false;
  }
  add_all_ready(*oldest);
  return true;
}

// What has come from elsewhere was there before the task that yields now: so a cancel waits for one slice of those that
// compute, and not for two.
void worker::give_way_to_wakes() noexcept {
  if (home.wakes_in_sight()) {
    collect_wakes();
  }
}

void worker::add_ready(job& ready) noexcept {
  if (bag_ != nullptr) [[unlikely]] {
    bag_forks();
    if (bag_->make_room()) {
      bag_->add(ready);
      return;
    }
  }
  if (backlog_first_ == nullptr && ready_.try_push(&ready) != push_result::full) [[likely]] {
    ready_.publish();
    home.wake_if_wanted();
    return;
  }
  ready.next = nullptr;
  (backlog_first_ == nullptr ? backlog_first_ : backlog_last_->next) = &ready;
  backlog_last_ = &ready;
}

// They become public together: a thief that has found one goes on finding, and need not search, nor be woken, again.
void worker::add_all_ready(job& first) noexcept {
  job* each = &first;
  if (bag_ == nullptr && backlog_first_ == nullptr) [[likely]] {
    while (each != nullptr) {
      job* const later = each->next;  // Once it is public, a thief may have run it.
      if (ready_.try_push(each) == push_result::full) {
        break;
      }
      each = later;
    }
    ready_.publish();
    home.wake_if_wanted();
  }
  while (each != nullptr) {
    job* const later = each->next;
    add_ready(*each);
    each = later;
  }
}

}  // namespace coppice::inline v0::detail
