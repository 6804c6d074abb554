// Starting and ending an executor, and the list of its tasks.
#include "executor/executor_state.h"
#include "executor/process_locks.h"

#include <coppice/error.h>
#include <coppice/executor.h>
#include <coppice/version.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

std::uint64_t any_seed() {
  std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

core_settings core_settings_of(const settings& resolved, std::size_t workers,
                               const test_setup* setup) {
  const options& from = resolved.effective;
  core_settings result{.workers = workers,
                       .spin = *from.spin,
                       .ready_await_budget = *from.yield_budget,
                       .frame_cache_bytes = *from.frame_cache,
                       .blocking_threads = *from.blocking_threads,
                       .debug = *from.debug};
  if (setup != nullptr) {
    result.spin = duration::zero();
    result.seed = setup->seed;
    if (!result.seed && setup->needs_seed) {
      result.seed = resolved.test_seed ? *resolved.test_seed : any_seed();
    }
    result.patience = setup->patience;
    result.shuffle = setup->shuffle;
    result.autojump = setup->autojump;
    result.idle_blocking_threads =
        setup->idle_blocking_threads.value_or(result.idle_blocking_threads);
  }
  return result;
}

}  // namespace

executor_state::executor_state(executor& of, const options& from, const test_setup* setup)
    : face(of),
      resolved(resolve(from)),
      time(setup != nullptr && setup->virtual_time),
      process_(process_generation()) {
  display_at_start(resolved, version());
  const std::size_t wanted = *resolved.effective.threads;
  const std::size_t started = team_.create(wanted, resolved.effective.stack_size.value_or(0));
  try {
    core = std::make_unique<executor_core>(core_settings_of(resolved, started, setup), time, *this,
                                           spawned);
  } catch (...) {
    team_.go({});
    throw;
  }
  if (started < wanted) {
    std::fprintf(stderr, "coppice: the system granted %zu of %zu worker threads\n", started,
                 wanted);
  }
  team_.go([this](const team_member& member) {
    if (const auto cpu = cpu_of_worker(resolved.pin_plan, member.index)) {
      if (!pin_current_thread(*cpu)) {
        std::fprintf(stderr, "coppice: worker %zu could not be pinned to CPU %u\n", member.index,
                     *cpu);
      }
    }
    core->workers[member.index]->run(member.stack_base, member.stack_bytes);
  });
}

bool executor_state::forked() const noexcept {
  return process_ != process_generation();
}

executor_state::~executor_state() {
  close();
  cancel_from_now(reason_access::immortal(cancel_kind::shutdown));
  wait_until_idle(forever);
  if (std::exception_ptr fatal = take_fatal()) {
    report({error_origin::never_retrieved, error_entry(std::move(fatal)), {}, {}});
  }
  core->blocking.close();
  core->retire();
  core->stop();
  team_.join();
  core->wait_for_posters();
  root.close(nullptr);
  tasks_.close(nullptr);
}

void executor_state::require_same_process(const char* call) const {
  if (forked()) {
    throw usage_error(
        std::string(call) +
        " in the child of a fork(): the workers stayed in the parent; make a new runtime "
        "here, or fork before making one");
  }
}

admission executor_state::enter(bool main) noexcept {
  const std::uint64_t before = live_.fetch_add(1, std::memory_order_relaxed);
  if ((before & closed_bit) != 0) {
    leave(1, false);
    return admission::closed;
  }
  if (!main && before >= *resolved.effective.max_tasks) {
    leave(1, false);
    return admission::exhausted;
  }
  return admission::admitted;
}

void executor_state::list(outcome_cell& task) {
  worker_core* const here = this_worker();
  const bool own = here != nullptr && &here->home == core.get();
  {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (!own) {
      lock.lock();
    }
    slot& taken = tasks_.take(own ? here : nullptr);
    task.listed = &taken;
    const bool published = taken.publish(taken.arm_with(&task));  // L2
    assert(published);
    static_cast<void>(published);
  }
  if (cancelling_.load(std::memory_order_seq_cst)) {  // L2
    const std::lock_guard lock(mutex_);
    if (cancelling_for_) {
      task.cancel(*cancelling_for_);
    }
  }
}

void executor_state::remove(outcome_cell& task) noexcept {
  static_cast<worker&>(*this_worker()).count_end(task.status());
  unlist(task);
}

// One that somebody looks at is left to them, with a reference.
void executor_state::unlist(outcome_cell& task) noexcept {
  slot& listed = *task.listed;
  const std::uint64_t generation = listed.look().generation;
  if (!listed.claim_suspended(generation)) {
    task.add_reference();
    if (listed.claim(generation) != claim_result::won) {
      return;
    }
    task.drop();
  }
  listed.release();
}

// `tell`: a thread waits for this one.
void executor_state::leave(std::uint32_t tasks, bool tell) noexcept {
  const std::uint64_t before = live_.fetch_sub(tasks, std::memory_order_acq_rel);  // L1
  if (tell || (before & ~closed_bit) == tasks) {
    const std::lock_guard lock(mutex_);
    ended_.notify_all();
  }
}

template <class Visit>
void executor_state::for_each_live(const Visit& visit) const {
  for (slot_chunk* shard = tasks_.first(); shard != nullptr; shard = shard->next_shard()) {
    for (slot_chunk* chunk = shard; chunk != nullptr; chunk = chunk->next()) {
      for (slot& each : *chunk) {
        if (const cell_ref task = listed_at(each); task.get() != nullptr) {
          visit(*task.get());
        }
      }
    }
  }
}

// While the listing is retracted its task cannot be dropped for the last time. Another that looks just now does not
// take long; to pass its task by would be to miss it.
cell_ref executor_state::listed_at(slot& at) noexcept {
  slot::view seen = at.look();
  while (seen.at == slot::state::arming ||
         (seen.at == slot::state::suspended && !at.retract(seen.generation))) {
    std::this_thread::yield();
    seen = at.look();
  }
  if (seen.at != slot::state::suspended) {
    return {};
  }
  auto* const task = static_cast<outcome_cell*>(at.target());
  task->add_reference();
  if (!at.publish(seen.generation)) {
    at.release();
    task->drop();
  }
  return cell_ref(task);
}

std::vector<task_ref> executor_state::live_tasks() const {
  std::vector<task_ref> tasks;
  for_each_live([&tasks](outcome_cell& each) {
    each.add_reference();
    tasks.push_back(handle_access::make(cell_ref(&each)));
  });
  std::sort(tasks.begin(), tasks.end(),
            [](const task_ref& a, const task_ref& b) { return a.id() < b.id(); });
  return tasks;
}

std::size_t executor_state::live_task_count() const noexcept {
  return live_.load(std::memory_order_acquire) & ~closed_bit;  // L1
}

void executor_state::close() noexcept {
  live_.fetch_or(closed_bit, std::memory_order_relaxed);
}

void executor_state::cancel_all(const cancel_reason& reason) noexcept {
  for_each_live([&reason](outcome_cell& each) { each.cancel(reason); });
}

void executor_state::cancel_from_now(const cancel_reason& reason) noexcept {
  {
    const std::lock_guard lock(mutex_);
    cancelling_for_ = reason;
  }
  cancelling_.store(true, std::memory_order_seq_cst);  // L2
  cancel_all(reason);
}

void executor_state::cancel_no_more() noexcept {
  cancelling_.store(false, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  cancelling_for_.reset();
}

task_counts executor_state::counts() const noexcept {
  task_counts sum{.spawned = live_task_count()};
  for (const auto& each : core->workers) {
    const worker_counters& ends = each->counters();
    sum.completed += ends.completed.load(std::memory_order_relaxed);
    sum.failed += ends.failed.load(std::memory_order_relaxed);
    sum.cancelled += ends.cancelled.load(std::memory_order_relaxed);
  }
  sum.spawned += sum.completed + sum.failed + sum.cancelled;
  return sum;
}

// The first is kept for who waits; the others are reported.
void executor_state::end_all(std::exception_ptr fatal) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (fatal_ == nullptr) {
      fatal_ = std::move(fatal);
    }
  }
  cancel_all(reason_access::immortal(cancel_kind::fatal));
}

std::exception_ptr executor_state::take_fatal() const noexcept {
  const std::lock_guard lock(mutex_);
  return std::exchange(fatal_, nullptr);
}

void executor_state::list_keeper::ended(outcome_cell& task, bool taken) noexcept {
  if (task.status() == task_status::failed && is_fatal(task.failure().error())) {
    state_.end_all(task.failure().error());
    taken = true;
  }
  if (!main_ && !taken && task.status() == task_status::failed) {
    report_from(&state_.root, *this_worker(), error_origin::child, task.failure());
  }
  const bool stopped = !main_ && task.status() == task_status::cancelled;
  state_.remove(task);
  if (main_) {
    const std::lock_guard lock(state_.mutex_);
    task.leave_list();
  }
  worker_core& here = *this_worker();
  if (stopped && here.ledger.open()) {
    here.ledger.leave(*this, here);
  } else {
    left(1, here);
  }
}

void executor_state::list_keeper::left(std::uint32_t tasks, worker_core&) noexcept {
  state_.leave(tasks, main_);
  if (standstill* const still = state_.core->still.get()) {
    still->look_at_conditions();
  }
}

// The child of a fork() has none of the threads, and what they were doing will never be finished.
void executor_state_deleter::operator()(executor_state* state) const noexcept {
  if (!state->forked()) {
    delete state;
  }
}

void throw_refused(admission why, const task_keeper& keeper) {
  std::string text = std::string("spawn into ") + keeper.kind();
  if (const std::string name = keeper.name(); !name.empty()) {
    text += " \"" + name + '"';
  }
  if (why == admission::closed) {
    throw scope_closed(text + ", which has ended or takes no more tasks");
  }
  throw resource_exhausted(text +
                           ", which has as many live tasks as a limit allows (COPPICE_MAX_TASKS, "
                           "options.max_tasks, or max_children of the scope)");
}

task_keeper& root_keeper(const worker_core& here) noexcept {
  return here.home.root;
}

}  // namespace coppice::inline v0::detail
