// How a worker finds its next job, and runs it.
#include "executor/worker.h"

#include "executor/executor_core.h"
#include "executor/slots.h"

#include <coppice/detail/promise_base.h>
#include <coppice/detail/suspension.h>

#include <algorithm>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace coppice::inline v0::detail {

constinit thread_local worker_core* current_worker __attribute__((tls_model("initial-exec"))) =
    nullptr;

// The barrier hides the address from compilers that would keep it over a suspension.
__attribute__((noinline)) worker_core* this_worker() noexcept {
  worker_core* here = current_worker;
  asm volatile("" : "+r"(here));
  return here;
}

namespace {

// Prime, so that it falls in with no pattern.
constexpr std::uint32_t ticks_between_foreign_jobs = 61;
constexpr std::uint32_t most_next_up_in_a_row = 16;
constexpr std::uint32_t ticks_between_clock_reads = 32;

void pause_briefly() noexcept {
#if defined(__x86_64__)
  for (int i = 0; i != 16; ++i) {
    _mm_pause();
  }
#endif
}

}  // namespace

worker::worker(executor_core& owner, std::size_t index)
    : worker_core(owner, owner.link.cancels),
      index_(index),
      random_(0x9e37'79b9'7f4a'7c15ULL * (index + 1)) {
  if (owner.settings.ordered()) {
    bag_ = std::make_unique<job_bag>(*owner.settings.seed, owner.settings.shuffle);
    forks_until_look = 1;  // Each fork is a choice.
  }
}

worker::~worker() {
  slot_reserve::give_back(std::exchange(free_slots_, nullptr));
  for (chunk_list& kept : free_chunks_) {
    while (slot_chunk* const chunk = kept.first) {
      kept.first = chunk->next_free();
      chunk_reserve::give_back(*chunk);
    }
  }
}

void worker::run(std::uintptr_t stack_base, std::size_t stack_bytes) noexcept {
  stack_limit = stack_base - std::min<std::size_t>(stack_bytes / 2, std::size_t{64} * 1024);
  current_worker = this;
  read_clock();
  if (home.still != nullptr) {
    rest();
  }
  while (job* const found = bag_ == nullptr ? find_job() : draw_job()) {
    run_job(*found);
  }
  frames.flush();
  current_worker = nullptr;
}

// A job runs until its coroutine, or the one it handed over to, suspends. What could not be done on its
// stack is done here.
void worker::run_job(job& found) noexcept {
  count(counters_.resumes);
  scope = nullptr;  // Of the job before, and perhaps destroyed: each job of a task sets its own.
  wait_label = nullptr;
  ready_awaits_left = home.settings.ready_await_budget;
  polls_until_look = polls_before_first_look;
  polls_between_looks_ = polls_before_first_look;
  found.run(found, *this);
  settle();
}

time_point worker::read_clock() noexcept {
  loop_time = home.time.now();
  return loop_time;
}

void worker::count_forced_yield() noexcept {
  count(counters_.forced_yields);
}

void worker::count_end(task_status status) noexcept {
  switch (status) {
    case task_status::completed:
      count(counters_.completed);
      break;
    case task_status::failed:
      count(counters_.failed);
      break;
    default:
      count(counters_.cancelled);
  }
}

// Own work first, newest first; but now and then something from outside, so that nobody waits for ever.
job* worker::find_job() noexcept {
  job* found = nullptr;
  bool over = false;
  if (++tick_ % ticks_between_clock_reads == 0) {
    read_clock();
  }
  if (tick_ % ticks_between_foreign_jobs == 0 || others_first_) {
    others_first_ = false;
    found = take_foreign();
  }
  while (found == nullptr) {
    if ((found = take_local()) == nullptr && (found = take_foreign()) == nullptr &&
        (found = search()) == nullptr) {
      if (over) {
        return nullptr;
      }
      over = home.stopping();  // Behind the last post: then one more look.
      found = over ? nullptr : sleep();
    }
  }
  if (searching_) {
    searching_ = false;
    if (home.idle.end_search()) {
      home.idle.wake_one();
    }
  }
  return found;
}

// What there was no memory to bag is run in plain order. A wake that comes only now is bagged by take_foreign().
job* worker::draw_job() noexcept {
  if (++tick_ % ticks_between_clock_reads == 0) {
    read_clock();
  }
  for (bool over = false;;) {
    fill_bag();
    job* found = bag_->draw();
    if (found == nullptr && (found = take_local()) == nullptr &&
        (found = take_foreign()) == nullptr && (found = bag_->draw()) == nullptr) {
      if (over) {
        return nullptr;
      }
      over = home.stopping();
      found = over ? nullptr : sleep();
    }
    if (found != nullptr) {
      if (std::exchange(searching_, false)) {
        static_cast<void>(home.idle.end_search());
      }
      return found;
    }
  }
}

// In the order in which they became runnable.
void worker::fill_bag() noexcept {
  bag_forks();
  while (bag_->make_room()) {
    job* const found = ready_.steal();
    if (found == nullptr) {
      break;
    }
    bag_->add(*found);
  }
  if (earliest_timer() != time_point::max()) {
    fire_timers(*this, read_clock());
  }
  collect_wakes();
}

// They are what is left of a fork whose turn has come, and so come first.
void worker::bag_forks() noexcept {
  while (bag_->make_room()) {
    job* const found = forks.pop();
    if (found == nullptr) {
      break;
    }
    bag_->add_first(*found);
  }
}

job* worker::take_local() noexcept {
  if (next_up_.load(std::memory_order_relaxed) != nullptr) {
    if (++next_up_in_a_row_ < most_next_up_in_a_row) {
      if (job* const found = take_next()) {
        return found;
      }
    } else if (job* const displaced = take_next()) {
      add_ready(*displaced);
    }
  }
  next_up_in_a_row_ = 0;
  if (job* const found = forks.pop()) {
    if (home.idle.anyone_idle() ? forks.publish() : forks.share()) {
      home.wake_if_wanted();
    }
    return found;
  }
  return nullptr;
}

job* worker::take_next() noexcept {
  if (next_up_.load(std::memory_order_relaxed) == nullptr) {
    return nullptr;
  }
  return next_up_.exchange(nullptr, std::memory_order_acquire);  // W1
}

// What comes from elsewhere: timers that are due, wakes, the inbox, and others' walks. Of what is ready and what was
// submitted each goes first every other time, since either may never run dry: a task that yields is always ready.
job* worker::take_foreign() noexcept {
  if (earliest_timer() != time_point::max()) {
    fire_timers(*this, read_clock());
  }
  collect_wakes();
  submitted_first_ = !submitted_first_;
  job* found = submitted_first_ ? take_submitted() : ready_.steal();
  if (found == nullptr) {
    found = submitted_first_ ? ready_.steal() : take_submitted();
  }
  return found != nullptr ? found : join_walk();
}

job* worker::take_submitted() noexcept {
  job* const found = home.take_submitted();
  if (found != nullptr) {
    home.wake_if_wanted();
  }
  return found;
}

// Called from the fork path every few microseconds.
bool worker::others_wait() noexcept {
  count(counters_.looks);
  forks_until_look = bag_ == nullptr ? forks_between_looks : 1;
  if (earliest_timer() != time_point::max()) {
    fire_timers(*this, read_clock());
  }
  if (home.idle.anyone_idle() && forks.publish()) {
    home.wake_if_wanted();
  }
  others_first_ = home.wakes_in_sight() || home.submitted_in_sight() || ready_.has_public() ||
                  backlog_first_ != nullptr || walk_to_join();
  return others_first_;
}

job* worker::search() noexcept {
  if (!searching_ && !(searching_ = home.idle.begin_search())) {
    return steal_from_others(true);
  }
  const auto until = clock::now() + home.settings.spin;
  for (;;) {
    if (job* const found = steal_from_others(false)) {
      return found;
    }
    if (home.stopping() || home.wakes_in_sight() || home.submitted_in_sight() ||
        earliest_timer() <= home.time.now()) {
      return take_foreign();
    }
    if (clock::now() >= until) {
      return steal_from_others(true);
    }
    pause_briefly();
  }
}

job* worker::steal_from_others(bool also_next) noexcept {
  job* const found = steal_job(also_next);
  return found != nullptr ? found : join_walk();
}

// A thief leaves alone, at first, what its owner is about to run next.
job* worker::steal_job(bool also_next) noexcept {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const std::size_t count_of_workers = home.workers.size();
  for (std::size_t i = 0; i != count_of_workers; ++i) {
    worker& victim = *home.workers[(random_ + i) % count_of_workers];
    if (&victim == this) {
      continue;
    }
    job* found = victim.steal();
    if (found == nullptr && also_next) {
      found = victim.steal_next();
    }
    if (found != nullptr) {
      count(counters_.steals);
      return found;
    }
  }
  return nullptr;
}

job* worker::steal() noexcept {
  if (job* const found = forks.steal()) {
    return found;
  }
  return ready_.steal();
}

bool worker::has_stealable() const noexcept {
  return forks.has_public() || ready_.has_public();
}

}  // namespace coppice::inline v0::detail
