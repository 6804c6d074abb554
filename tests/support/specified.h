// Children of a supervisor that say what happens to them, and end when and as they are told.
#pragma once

#include <coppice/event.h>
#include <coppice/select.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice::testing_support {

// Outlives the runtime. A child says "+id" when it starts and "-id" when its frame goes.
class stage {
 public:
  stage() = default;
  stage(const stage&) = delete;
  stage& operator=(const stage&) = delete;

  // Says when it has started.
  child_spec child(const std::string& id, restart_type type = restart_type::permanent) {
    return child_spec(id, [this, id](start_gate& gate) { return run(id, gate); }).restart(type);
  }

  // Those of these ids, all alike.
  std::vector<child_spec> children(const std::vector<std::string>& ids,
                                   restart_type type = restart_type::permanent) {
    std::vector<child_spec> specs;
    for (const std::string& id : ids) {
      specs.push_back(child(id, type));
    }
    return specs;
  }

  // What happened since it was asked last.
  texts take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(said_, {});
  }

  void say(std::string what) {
    const std::lock_guard lock(mutex_);
    said_.push_back(std::move(what));
  }

  // The child that runs now ends so.
  void fail(const std::string& id) { of(id).fails.set(); }
  void finish(const std::string& id) { of(id).finishes.set(); }

  // The next so many starts fail, or return before they have begun.
  void fail_starts(const std::string& id, int count) {
    const std::lock_guard lock(mutex_);
    known_[id].failing_starts = count;
  }
  void ignore_starts(const std::string& id, int count) {
    const std::lock_guard lock(mutex_);
    known_[id].ignored_starts = count;
  }

  // How long it takes to start; to stop, behind a shield.
  void start_takes(const std::string& id, duration d) { of(id).start_takes = d; }
  void stop_takes(const std::string& id, duration d) { of(id).stop_takes = d; }

 private:
  struct known_child {
    event fails;
    event finishes;
    duration start_takes{};
    duration stop_takes{};
    int failing_starts = 0;
    int ignored_starts = 0;
  };

  known_child& of(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return known_[id];
  }

  bool counts_down(int& count) {
    const std::lock_guard lock(mutex_);
    return count > 0 && count-- > 0;
  }

  struct farewell {
    stage& on;
    const std::string& id;
    ~farewell() { on.say("-" + id); }
  };

  task<> run(std::string id, start_gate& gate) {
    known_child& self = of(id);
    self.fails.reset();
    self.finishes.reset();
    if (counts_down(self.failing_starts)) {
      say("!" + id);
      throw std::runtime_error(id + " cannot start");
    }
    if (counts_down(self.ignored_starts)) {
      say("~" + id);
      co_return;
    }
    const farewell leaving{*this, id};
    if (self.start_takes > duration::zero()) {
      co_await sleep_for(self.start_takes);
    }
    say("+" + id);
    const outcome<> waited = co_await as_result(until_told(self, id, gate));
    if (waited.failed()) {
      std::rethrow_exception(waited.error());
    }
    if (waited.cancelled()) {
      if (self.stop_takes > duration::zero()) {
        co_await shield(sleep_for(self.stop_takes));
      }
      co_await stop();
    }
  }

  // It has started when it would hear of a stop here.
  static task<> until_told(known_child& self, const std::string& id, start_gate& gate) {
    gate.started();
    const auto told = co_await select(self.fails.wait(), self.finishes.wait());
    if (told.index() == 0) {
      throw std::runtime_error(id + " broke");
    }
  }

  std::mutex mutex_;
  texts said_;
  std::map<std::string, known_child> known_;
};

// Failures are expected, and of no interest.
inline void be_quiet(test_runtime& rt) {
  rt.set_error_handler([](const error_report&) {});
}

// Runs the body beside these children, and then shuts them down.
template <class Body>
void supervised(test_runtime& rt, supervisor_options options, const std::vector<child_spec>& specs,
                const Body& body) {
  rt.block_on([&]() -> task<> {
    const auto around = [&](supervisor& s) -> task<> {
      co_await body(s);
      co_await s.shutdown();
    };
    co_await with_supervisor(options, specs, around);
  });
}

// Until everything that can happen now has happened; on virtual time.
inline task<> settled() {
  co_await sleep_for(std::chrono::microseconds(1));
}

// The task of that child; empty if it does not run.
inline task_ref task_of(const supervisor& of, std::string_view id) {
  for (child_info& each : of.which_children()) {
    if (each.id == id) {
      return std::move(each.task);
    }
  }
  return {};
}

// What is known of that child. It has to be there.
inline child_info info_of(const supervisor& of, std::string_view id) {
  for (child_info& each : of.which_children()) {
    if (each.id == id) {
      return std::move(each);
    }
  }
  throw std::logic_error("no child " + std::string(id));
}

inline bool has_child(const supervisor& of, std::string_view id) {
  for (const child_info& each : of.which_children()) {
    if (each.id == id) {
      return true;
    }
  }
  return false;
}

// What the awaitable threw, as text; "nothing" if it did not.
template <class A>
task<std::string> thrown_by(A awaited) {
  const auto end = co_await as_result(std::move(awaited));
  co_return end.failed() ? end.entry().message() : "nothing";
}

}  // namespace coppice::testing_support
