// Shields, and bodies whose end is only looked at.
#include <coppice/shield.h>

#include <coppice/detail/alarm.h>
#include <coppice/error.h>
#include <coppice/sleep.h>

namespace coppice::inline v0::detail {

namespace {

// A shield that gives way some time after the first request from above. It hears of one when its node is asked, which
// every request leads to: what waits below is found by a walk, what runs polls.
class yielding_shield final : public scope_core {
 public:
  yielding_shield(duration grace, worker_core& here)
      : scope_core({}, {}, here.executor()), grace_(grace), node_(*this, here.scope, epoch{0}) {
    node_.shield(true);
  }

  cancel_node& node() noexcept override { return node_; }
  const char* kind() const noexcept override { return "shield"; }

 private:
  class shield_node final : public scope_node<strand_node> {
   public:
    using scope_node<strand_node>::scope_node;

   private:
    void kept_out(epoch now) noexcept override {
      if (parent()->cancelled_at(now)) {
        static_cast<yielding_shield&>(of()).begin_grace();
      }
    }
  };

  class grace_end final : public alarm {
   public:
    explicit grace_end(yielding_shield& of) noexcept : alarm(rings::anywhere), of_(of) {}

   private:
    void ring(worker_core&) noexcept override { of_.give_way(); }
    void keep() noexcept override { of_.add_reference(); }
    void let_go() noexcept override { of_.drop(); }

    yielding_shield& of_;
  };

  // A foreign thread that polls a token leaves it to the walk.
  void begin_grace() noexcept {
    worker_core* const here = this_worker();
    if (here == nullptr || begun_.exchange(true, std::memory_order_relaxed)) {
      return;
    }
    try {
      end_.set(time_in(grace_), *here);
    } catch (...) {
      give_way();  // No memory to wait with.
    }
  }

  void give_way() noexcept {
    if (enter_open()) {
      node_.shield(false);
      fan_out();
      leave();
    }
  }

  void close_node(worker_core& here) noexcept override {
    if (begun_.exchange(true, std::memory_order_relaxed)) {
      static_cast<void>(end_.clear(here));
    }
    node_.close(here);
  }

  const duration grace_;
  atomic<bool> begun_{false};  // Whoever asks first; or the end.
  grace_end end_{*this};
  shield_node node_;
};

}  // namespace

core_ref shield_policy::make(worker_core& here) const {
  if (!grace_) {
    return open_strand_scope({.shield = true, .site = {}}, here);
  }
  return core_ref(new yielding_shield(*grace_, here));
}

std::coroutine_handle<> settled_run::begin(promise_base& host, promise_base& body, void* place,
                                           worker_core& here) noexcept {
  host_ = &host;
  body.continue_with(*this, host.scope(), place);
  return here.stack_left() ? body.handle() : here.resume_from_loop(body.handle());
}

cancel_reason settled_run::reason() const noexcept {
  return host_->scope()->reason();
}

error_entry settled_run::entry_for(std::exception_ptr error) const noexcept {
  outcome_cell* const task = host_->scope()->task();
  return task != nullptr ? task->entry_for(std::move(error), host_->scope())
                         : error_entry(std::move(error));
}

std::coroutine_handle<> settled_run::completed(worker_core& here) noexcept {
  here.scope = host_->scope();
  return host_->handle();
}

// Perhaps within a walk.
std::coroutine_handle<> settled_run::stopped(worker_core& here) noexcept {
  stopped_ = true;
  run = [](job& self, worker_core& on) noexcept {
    promise_base& host = *static_cast<settled_run&>(self).host_;
    on.scope = host.scope();
    host.handle().resume();
  };
  here.post_next(*this);
  return std::noop_coroutine();
}

void stop_operation::throw_nothing_to_stop() {
  throw usage_error(
      "stop() where nobody has asked to stop: it goes on with a stop that as_result() has shown");
}

}  // namespace coppice::inline v0::detail
