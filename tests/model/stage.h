// Workers without threads: virtual ones play them, and call what the library's own code would.
#pragma once

#include "executor/executor_core.h"
#include "executor/executor_state.h"
#include "executor/slots.h"

#include <coppice/detail/cancel_node.h>
#include <coppice/detail/reason_block.h>
#include <coppice/detail/suspension.h>
#include <coppice/executor.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "tests/model/models.h"

namespace coppice_model {

namespace detail = coppice::detail;
using detail::worker_core;

// A node of the tree that can be asked to stop, as a scope's is.
class node final : public detail::branch_node {
 public:
  node() noexcept = default;  // A root.
  explicit node(detail::cancel_node* above) noexcept : branch_node(above, 0) {}

  // Any thread; what waits below is then walked to, on a worker.
  void cancel(detail::executor_core& on) noexcept {
    state_.request();
    on.bump_epoch();
  }

 private:
  const detail::reason_block* known_reason() const noexcept override {
    return requested() ? detail::reason_block::immortal(coppice::cancel_kind::requested) : nullptr;
  }
};

// The workers, and a root over all that waits: set anew before each execution.
class stage {
 public:
  explicit stage(std::size_t workers) : workers_(workers) {
    // Of chunks there are enough in every execution, so that none is the one that has to make some.
    std::vector<detail::slot_chunk*> chunks;
    for (int i = 0; i != 64; ++i) {
      chunks.push_back(&detail::chunk_reserve::take(small));
    }
    for (detail::slot_chunk* const each : chunks) {
      detail::chunk_reserve::give_back(*each);
    }
    set();
  }
  ~stage() { clear(); }

  void set() {
    clear();
    core_.emplace(detail::core_settings{.workers = workers_}, owner_.state().time, owner_.state(),
                  owner_.state().spawned);
    root_.emplace();
    for (std::size_t i = 0; i != workers_; ++i) {
      for (int n = 0; n != 4; ++n) {
        worker(i).give_chunk(detail::chunk_reserve::take(small));
      }
    }
  }

  detail::executor_core& core() noexcept { return *core_; }
  node& root() noexcept { return *root_; }
  detail::worker& worker(std::size_t i) noexcept { return *core_->workers[i]; }

  // The running thread is that worker meanwhile.
  template <class Function>
  void as_worker(std::size_t i, const Function& function) {
    detail::current_worker = &worker(i);
    function(worker(i));
    detail::current_worker = nullptr;
  }

  // Runs what the worker has queued.
  void run_queued(std::size_t i) {
    as_worker(i, [this](detail::worker& here) {
      for (detail::job* next = here.steal_next(); next != nullptr; next = here.steal_next()) {
        next->run(*next, here);
      }
      for (detail::job* next = here.steal(); next != nullptr; next = here.steal()) {
        next->run(*next, here);
      }
      for (detail::job* next = core_->take_wakes(); next != nullptr;) {
        detail::job* const later = next->next;
        next->run(*next, here);
        next = later;
      }
    });
  }

 private:
  static constexpr auto small = detail::slot_chunk::kind::small;

  void clear() {
    if (root_) {
      root_->close(&worker(0));
      root_.reset();
    }
    core_.reset();
  }

  const std::size_t workers_;
  coppice::executor owner_{coppice::options{.threads = 1}};
  std::optional<detail::executor_core> core_;
  std::optional<node> root_;
};

// What ends a wait, at most once: its event, or a stop. A ticket for it, that anybody may hold.
class wait final : public detail::suspension, public detail::job {
 public:
  wait() {
    run = [](detail::job& self, worker_core&) noexcept { static_cast<wait&>(self).go_on(); };
  }

  // On a worker: as wait_operation does.
  void begin_under(detail::cancel_node& node, worker_core& here) {
    detail::epoch seen = here.now();
    if (node.cancelled_at(seen)) {
      end(stopped_);
      return;
    }
    begin(*this, &node, here.home, &wait::stop_here);
    detail::slot& mine = node.enroll(here, "a model");
    at = &mine;
    const std::uint64_t generation = mine.arm(*this, node.decides_directly() != nullptr);
    show({&mine, generation});
    switch (publish(here, mine, generation, seen)) {
      case end_of_suspending::asleep:
        return;
      case end_of_suspending::over:
        go_on();
        return;
      case end_of_suspending::stopped:
        end(stopped_);
    }
  }

  // On a worker: the event; false if nobody waits for it yet.
  bool fire(worker_core& here) {
    if (armed_.load(std::memory_order_acquire) == nullptr) {
      return false;
    }
    result_ = 1;
    claim(here);
    return true;
  }

  // The same again, perhaps when the wait is long over.
  void claim(worker_core& here) {
    detail::slot* const mine = armed_.load(std::memory_order_acquire);
    if (mine != nullptr && mine->claim(generation_) == detail::claim_result::won) {
      here.post(mine->waiter().resumption());
    }
  }

  int times_resumed() const { return resumed_; }
  int times_stopped() const { return stopped_; }
  bool over() const { return resumed_ + stopped_ == 1; }

 private:
  void show(const detail::ticket& ticket) {
    generation_ = ticket.generation;
    armed_.store(ticket.at, std::memory_order_release);
  }

  void go_on() {
    require(result_ == 1, "it goes on without its event");
    end(resumed_);
  }

  static std::coroutine_handle<> stop_here(detail::suspension& self, worker_core&) noexcept {
    auto& mine = static_cast<wait&>(self);
    mine.end(mine.stopped_);
    return std::noop_coroutine();
  }

  void end(int& how) {
    require(resumed_ + stopped_ == 0, "a wait ends twice");
    ++how;
    if (at != nullptr) {
      asks()->withdraw(*std::exchange(at, nullptr), *detail::this_worker());
    }
  }

  detail::atomic<detail::slot*> armed_{nullptr};
  std::uint64_t generation_ = 0;  // Before armed_.
  int result_ = 0;                // The event.
  int resumed_ = 0;
  int stopped_ = 0;
};

}  // namespace coppice_model
