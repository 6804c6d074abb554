#include <coppice/detail/woken_list.h>

#include "executor/executor_core.h"
#include "executor/worker.h"

#include <coppice/detail/suspension.h>
#include <coppice/detail/worker_core.h>

#include <utility>

namespace coppice::inline v0::detail {

void woken_list::add(suspension& won, executor_core& home) noexcept {
  if (home_ != &home) {
    go_on();
    home_ = &home;
  }
  job& ready = won.resumption();
  ready.next = nullptr;
  (oldest_ == nullptr ? oldest_ : newest_->next) = &ready;
  newest_ = &ready;
}

// One alone is what the running task has just made ready. Once a job is queued, another may have run it.
void woken_list::queue_all() noexcept {
  job* each = std::exchange(oldest_, nullptr);
  worker_core* const here = this_worker();
  if (here == nullptr || &here->home != home_) {
    home_->post_all(*each);
  } else if (each->next == nullptr) {
    here->post_next(*each);
  } else {
    static_cast<worker*>(here)->add_all_ready(*each);
  }
}

}  // namespace coppice::inline v0::detail
