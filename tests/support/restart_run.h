// Runs a tree of supervisors that restart with the library, and keeps what can be seen of it.
#pragma once

#include <coppice/exception_group.h>
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/spawn.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/restart_program.h"

namespace coppice::testing_support {

// Outlives the runtime.
class restart_run {
 public:
  explicit restart_run(const restart_program& program)
      : program_(program), starts_(static_cast<std::size_t>(program.children)) {}

  restart_history run(unsigned workers, unsigned seed) {
    test_runtime rt{{.workers = workers, .seed = seed}};
    clock_ = &rt.clock();
    rt.set_error_handler([this](const error_report& report) { note_report(report); });
    rt.block_on([this]() -> task<> { co_await run_tree(); });
    EXPECT_EQ(rt.live_frames(), 0u);
    scopes_.clear();
    return std::move(history_);
  }

 private:
  // One unit of the model's time.
  static constexpr duration unit = std::chrono::microseconds(1);

  // Says how a task has ended, when all that it had is gone. Unless it is told it has been stopped.
  class ending {
   public:
    template <class Note>
    explicit ending(Note note) : note_(std::move(note)) {}
    ending(const ending&) = delete;
    ending& operator=(const ending&) = delete;

    ~ending() {
      note_(std::uncaught_exceptions() != 0 ? " failed" : returned_ ? " ended" : " stopped");
    }

    void returns() { returned_ = true; }

   private:
    std::function<void(const std::string&)> note_;
    bool returned_ = false;
  };

  long elapsed() const { return static_cast<long>(clock_->elapsed() / unit); }

  time_point time_of(long when) const { return clock_->now() + when * unit - clock_->elapsed(); }

  time_point slot(int residue, long behind) const {
    return time_of(slot_behind(behind, residue, program_.modulus));
  }

  time_point slot(int residue) const { return slot(residue, elapsed()); }

  // ---- The tree ---------------------------------------------------------------------------------

  task<> run_tree() {
    co_await with_group([&](task_group& around) -> task<> {
      for (const restart_request& each : program_.requests) {
        around.spawn(ask(each));
      }
      around.spawn([this, &around]() -> task<> {
        co_await sleep_until(time_of(program_.end));
        around.cancel();
      });
      const outcome<> end = co_await as_result(lead(program_.root, nullptr));
      history_.outcome = std::to_string(elapsed()) +
                         (end.cancelled() ? " stopped"
                          : end.failed()  ? " failed"
                                          : " ended") +
                         " " + text_of(end.entry().error());
      around.cancel();
    });
  }

  task<> ask(restart_request request) {
    co_await sleep_until(slot(request.slot, request.after));
    const std::lock_guard lock(mutex_);
    const auto asked = scopes_.find(request.supervisor);
    if (asked == scopes_.end()) {
      co_return;
    }
    if (request.cancel) {
      asked->second.cancel();
    } else {
      asked->second.request_shutdown();
    }
  }

  task<> lead(const restart_supervisor& plan, start_gate* gate) {
    if (plan.form == restart_form::grouped) {
      co_await with_group([&](task_group&) -> task<> { co_await lead_alone(plan, gate); });
    } else {
      co_await lead_alone(plan, gate);
    }
  }

  task<> lead_alone(const restart_supervisor& plan, start_gate* gate) {
    std::vector<child_spec> children;
    for (const restart_child& each : plan.children) {
      children.push_back(spec_of(each, plan.id));
    }
    const std::string name = supervisor_name(plan.id);
    const supervisor_options how{.name = name,
                                 .strategy = plan.strategy,
                                 .max_restarts = plan.max_restarts,
                                 .period = plan.period * unit,
                                 .auto_shutdown = plan.auto_shutdown,
                                 .drain = plan.drain * unit};
    if (plan.form == restart_form::bodiless) {
      co_await supervise(how, children);
      co_return;
    }
    const auto body = [&](supervisor& s) -> task<> {
      keep(plan.id, s);
      s.on_restart([this, begin = elapsed()](const restart_report& report) {
        if (elapsed() != begin) {
          note_restart(report);
        }
      });
      if (gate != nullptr) {
        gate->started();
      }
      ending end([&](const std::string& word) { note_body(plan, word.substr(1)); });
      note_body(plan, "begins");
      for (const restart_step& each : plan.body) {
        co_await sleep_until(slot(each.slot));
        co_await take(each, plan, s);
        if (each.call == restart_call::end) {
          end.returns();
          co_return;
        }
      }
      co_await sleep_for(forever);
    };
    co_await with_supervisor(how, children, body);
  }

  child_spec spec_of(const restart_child& plan, int in) {
    const auto spec = [&] {
      if (plan.gated) {
        return child_spec(child_name(plan.id),
                          [this, &plan, in](start_gate& gate) { return live(plan, in, &gate); });
      }
      return child_spec(child_name(plan.id), [this, &plan, in] { return live(plan, in, nullptr); });
    };
    child_spec made = spec();
    made.restart(plan.restart).significant(plan.significant);
    made.shutdown(plan.brutal ? duration::zero() : forever);
    made.type(plan.inner.empty() ? child_type::worker : child_type::supervisor);
    made.backoff({.initial = plan.delay * unit,
                  .factor = 2,
                  .max = plan.longest_delay * unit,
                  .jitter = 0,
                  .reset_after = plan.healthy_after * unit + unit / 2});
    return made;
  }

  // ---- Children ---------------------------------------------------------------------------------

  task<> live(const restart_child& plan, int in, start_gate* gate) {
    const int start = note_start(plan, in);
    ending end([&, in](const std::string& word) { note_child(in, child_name(plan.id) + word); });
    if (!plan.inner.empty()) {
      co_await lead(plan.inner.front(), gate);
      end.returns();
      co_return;
    }
    const restart_life& life =
        plan.lives[std::min(static_cast<std::size_t>(start), plan.lives.size() - 1)];
    if (gate != nullptr) {
      co_await wait_as(plan, start, slot(plan.start_slot));
      if (life.at_start == restart_end::returns) {
        end.returns();
        co_return;
      }
      if (life.at_start == restart_end::fails) {
        throw std::runtime_error(child_failure(plan.id, start));
      }
      gate->started();
    }
    const bool for_ever = life.later == restart_end::none;
    co_await wait_as(plan, start,
                     for_ever ? time_point::max()
                              : slot(plan.life_slot, elapsed() + life.rounds * program_.modulus));
    if (life.later == restart_end::fails) {
      throw std::runtime_error(child_failure(plan.id, start));
    }
    end.returns();
  }

  // Waits until then, and does what the plan says if it is to stop.
  task<> wait_as(const restart_child& plan, int start, time_point when) {
    if (plan.stop == restart_stop::prompt) {
      co_await sleep_until(when);
      co_return;
    }
    const outcome<> end = co_await as_result(sleep_until(when));
    if (!end.cancelled()) {
      co_return;
    }
    if (plan.stop == restart_stop::fails) {
      throw std::runtime_error(child_failure(plan.id, start));
    }
    const time_point then = slot(plan.stop_slot);
    co_await shield([then]() -> task<> { co_await sleep_until(then); });
    co_await stop();
  }

  task<> live_unspecified(const restart_step& step) {
    ending end([&](const std::string& word) {
      const std::lock_guard lock(mutex_);
      history_.spawned.insert(std::to_string(elapsed()) + " " + spawned_name(step) + word);
    });
    co_await sleep_until(slot(step.end_slot));
    if (step.end == restart_end::fails) {
      throw std::runtime_error(spawned_name(step));
    }
    end.returns();
  }

  static std::string spawned_name(const restart_step& step) {
    return "x" + std::to_string(step.end_slot);
  }

  // ---- What bodies do ---------------------------------------------------------------------------

  task<> take(const restart_step& step, const restart_supervisor& plan, supervisor& s) {
    const std::string child = child_name(step.added.empty() ? step.child : step.added.front().id);
    std::string said = "ok";
    switch (step.call) {
      case restart_call::look:
        note_body(plan, describe(s));
        co_return;
      case restart_call::spawn: {
        const std::string name = spawned_name(step);
        try {
          s.spawn({.name = name}, live_unspecified(step));
        } catch (const scope_closed&) {
          // It is being shut down.
        }
        co_return;
      }
      case restart_call::cancel:
        for (const child_info& each : s.which_children()) {
          if (each.id == child && each.task) {
            each.task.cancel();
          }
        }
        co_return;
      case restart_call::end:
        if (step.end == restart_end::fails) {
          throw std::runtime_error("b" + std::to_string(plan.id));
        }
        co_return;
      default:
        break;
    }
    try {
      co_await call(step, child, plan, s);
    } catch (const usage_error&) {
      said = "usage";
    } catch (const scope_closed&) {
      co_return;  // It is being shut down, and the body perhaps stopped before it hears that.
    } catch (const start_error&) {
      said = text_of(std::current_exception());
    }
    note_body(plan, call_name(step.call) + " " + child + ": " + said);
  }

  task<> call(const restart_step& step, const std::string& child, const restart_supervisor& plan,
              supervisor& s) {
    switch (step.call) {
      case restart_call::terminate:
        co_await s.terminate_child(child);
        break;
      case restart_call::restart:
        co_await s.restart_child(child);
        break;
      case restart_call::remove:
        co_await s.delete_child(child);
        break;
      default: {
        const child_spec spec = spec_of(step.added.front(), plan.id);
        co_await s.start_child(spec);
      }
    }
  }

  static std::string describe(const supervisor& s) {
    std::string text;
    for (const child_info& each : s.which_children()) {
      if (!each.id.empty()) {
        text += each.id +
                (each.restarting ? "~"
                 : each.task     ? "+"
                                 : "-") +
                std::to_string(each.restarts) + " ";
      }
    }
    const child_counts counts = s.count_children();
    return text + counts_text(counts.specs, counts.active, counts.supervisors, counts.workers);
  }

  // ---- Notes ------------------------------------------------------------------------------------

  static std::string text_of(const std::exception_ptr& error) {
    if (error == nullptr) {
      return "";
    }
    try {
      std::rethrow_exception(error);
    } catch (const start_error& e) {
      return start_failure(text_of(e.cause()));
    } catch (const restart_limit_exceeded& e) {
      return limit_failure(std::string(e.child()), e.restarts(), text_of(e.cause()));
    } catch (const task_cancelled&) {
      return "";
    } catch (const exception_group& e) {
      return group_failure(text_of(e.exceptions().front().error()));
    } catch (const std::exception& e) {
      return e.what();
    }
  }

  static std::string word_for(task_status ended) {
    return ended == task_status::cancelled ? " stopped"
           : ended == task_status::failed  ? " failed"
                                           : " ended";
  }

  void keep(int id, const cancel_scope& scope) {
    const std::lock_guard lock(mutex_);
    scopes_[id] = scope.handle();
  }

  int note_start(const restart_child& plan, int in) {
    const std::lock_guard lock(mutex_);
    history_.children.push_back({elapsed(), in, child_name(plan.id) + " begins", !plan.gated});
    return starts_[static_cast<std::size_t>(plan.id)]++;
  }

  void note_child(int in, const std::string& what) {
    const std::lock_guard lock(mutex_);
    history_.children.push_back({elapsed(), in, what});
  }

  void note_body(const restart_supervisor& plan, const std::string& what) {
    const std::lock_guard lock(mutex_);
    history_.bodies[plan.id].push_back(std::to_string(elapsed()) + " " + what);
  }

  void note_report(const error_report& report) {
    const std::lock_guard lock(mutex_);
    history_.reports.insert(std::to_string(elapsed()) + " " + report.scope + " " +
                            std::string(report.entry.name()) + " " + text_of(report.entry.error()));
  }

  void note_restart(const restart_report& report) {
    const std::lock_guard lock(mutex_);
    history_.restarts.insert(restart_text(elapsed(), report.supervisor, report.id,
                                          word_for(report.ended), text_of(report.failure.error()),
                                          report.restarts, report.recent,
                                          static_cast<long>(report.delay / unit)));
  }

  const restart_program& program_;
  const virtual_clock* clock_ = nullptr;
  std::mutex mutex_;
  restart_history history_;
  std::vector<int> starts_;             // Of each child, by its id.
  std::map<int, scope_handle> scopes_;  // Of the supervisors whose bodies have begun.
};

}  // namespace coppice::testing_support
