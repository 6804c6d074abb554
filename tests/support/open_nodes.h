// Nodes of the tree and waits below them that a test drives by hand, with a word said in the midst of things.
#pragma once

#include <coppice/detail/cancel_node.h>
#include <coppice/detail/suspension.h>
#include <coppice/detail/worker_core.h>
#include <coppice/runtime.h>

#include <coroutine>
#include <cstdint>
#include <functional>
#include <utility>

#include "executor/executor_core.h"

namespace coppice::testing_support {

// A branch, or a strand, that can be asked and shielded from outside.
template <class Node>
class open_node final : public Node {
 public:
  using Node::Node;

  void request(detail::executor_core& home) noexcept {
    this->state_.request();
    home.bump_epoch();
  }
  void shield_from_above(bool on, detail::executor_core& home) noexcept {
    this->state_.shield(on);
    home.bump_epoch();
  }
  bool linked() const noexcept { return this->state_.linked(); }

  // How often it was asked at a new epoch.
  int polls = 0;

  std::function<void()> when_polled;                // Before it looks.
  std::function<void()> when_kept_out;              // Its shield has answered, nothing is kept yet.
  std::function<void(detail::slot&)> when_entered;  // By a branch that is about to link.
  std::function<void(detail::slot&)> before_leaving;  // By a branch that has taken its link back.

 private:
  static void say(const std::function<void()>& word) {
    if (word) {
      word();
    }
  }

  bool poll(detail::epoch now) noexcept override {
    ++polls;
    say(when_polled);
    return Node::poll(now);
  }

  void kept_out(detail::epoch) noexcept override { say(when_kept_out); }

  detail::slot& entry(detail::worker_core& here) override {
    detail::slot& taken = Node::entry(here);
    if (when_entered) {
      when_entered(taken);
    }
    return taken;
  }

  void leave_entry(detail::slot& left, detail::worker_core& here) noexcept override {
    if (before_leaving) {
      before_leaving(left);
    }
    Node::leave_entry(left, here);
  }
};

using open_branch = open_node<detail::branch_node>;
using open_strand = open_node<detail::strand_node>;

// Waits as a task does, without being one.
class open_wait final : public detail::suspension, detail::job {
 public:
  open_wait() {
    run = [](detail::job& self, detail::worker_core&) noexcept {
      ++static_cast<open_wait&>(self).resumed;
    };
  }

  // True if it went to sleep. `seen`: the epoch at which it last looked for a stop.
  bool begin_below(detail::cancel_node& node, detail::worker_core& here) {
    return begin_below(node, here, here.now());
  }
  bool begin_below(detail::cancel_node& node, detail::worker_core& here, detail::epoch seen) {
    begin(*this, &node, here.home, [](detail::suspension& self, detail::worker_core&) noexcept {
      auto& stopped = static_cast<open_wait&>(self);
      ++stopped.stops;
      if (stopped.when_stopped) {
        stopped.when_stopped();
      }
      return std::coroutine_handle<>(std::noop_coroutine());
    });
    scope_ = &node;
    at = &node.enroll(here, "something");
    generation = at->arm(*this);
    return publish(here, *at, generation, seen) == end_of_suspending::asleep;
  }

  // Nobody else ends it.
  void give_up(detail::worker_core& here) noexcept {
    static_cast<void>(at->claim_suspended(generation));
    end(here);
  }

  // It is over: gives its slot back.
  void end(detail::worker_core& here) noexcept {
    if (at != nullptr) {
      scope_->withdraw(*std::exchange(at, nullptr), here);
    }
  }

  detail::ticket ticket() const noexcept { return {at, generation}; }

  std::function<void()> when_stopped;  // Within the walk that does it.
  std::uint64_t generation = 0;
  int resumed = 0;
  int stops = 0;

 private:
  detail::cancel_node* scope_ = nullptr;
};

// Runs `body(worker_core&)` on the only worker of a runtime.
template <class Body>
void on_worker(runtime& rt, const Body& body) {
  const auto call = [&] { body(*detail::this_worker()); };
  rt.block_on(call);
}

}  // namespace coppice::testing_support
