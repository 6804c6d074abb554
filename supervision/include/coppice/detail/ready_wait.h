// A wait that is mostly over at once: then the coroutine goes on without being suspended.
#pragma once

#include <coppice/detail/wait.h>
#include <coppice/detail/worker_core.h>

namespace coppice::inline v0::detail {

template <class Source>
class [[nodiscard]] ready_wait : public wait_operation<Source> {
 public:
  using wait_operation<Source>::wait_operation;

  // In doubt, whether to stop or whether it is time to give way to others, await_suspend() decides. Not inlined, lest the
  // coroutine keep the address of its worker.
  [[gnu::noinline]] bool await_ready() {
    worker_core& here = *current_worker;
    if (here.ready_awaits_left <= 1 || !here.scope->clear_at(here.now()) ||
        !this->waited_for().ready()) {
      return false;
    }
    --here.ready_awaits_left;
    return true;
  }
};

}  // namespace coppice::inline v0::detail
