// What code that is inlined into coroutines touches of the worker it runs on.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/cancel_node.h>
#include <coppice/detail/deque.h>
#include <coppice/detail/export.h>
#include <coppice/detail/frame_cache.h>
#include <coppice/detail/job.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/slot_set.h>
#include <coppice/detail/walk_ledger.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace coppice::inline v0::detail {

class fork_each_base;
class promise_base;

// How many forks pass before a worker looks at its inbox and its timers. At 5 to 10 ns a fork that is a
// look every few microseconds.
inline constexpr std::uint32_t forks_between_looks = 512;

// How often code that has just been resumed asks whether it is to stop, before its worker looks at the time.
inline constexpr std::uint32_t polls_before_first_look = 8;

// Where the stack stands. __builtin_frame_address would cost every coroutine a frame pointer.
inline std::uintptr_t stack_address() noexcept {
#if defined(__x86_64__)
  std::uintptr_t address;
  asm volatile("mov %%rsp, %0" : "=r"(address));
  return address;
#else
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
#endif
}

class COPPICE_EXPORT worker_core {
 public:
  worker_core(const worker_core&) = delete;
  worker_core& operator=(const worker_core&) = delete;

  // Every field is the worker's own, unless its type says otherwise.
  deque<job> forks;                   // Unstarted work; the newest is popped, the oldest stolen.
  cancel_node* scope = nullptr;       // Under which the running code stands.
  const atomic<epoch>* cancel_epoch;  // The executor's.
  frame_cache& frames;
  std::uintptr_t stack_limit = 0;  // Below this address a transfer goes through the loop.
  std::uint32_t forks_until_look = forks_between_looks;
  std::uint32_t ready_awaits_left = 0;  // Of the cooperative budget, in this run slice.
  std::uint32_t polls_until_look = polls_before_first_look;
  std::coroutine_handle<> next = nullptr;  // Resumed by the loop as soon as the stack is unwound.
  promise_base* stopping = nullptr;        // Destroyed by the loop as soon as the stack is unwound.
  const char* wait_label = nullptr;        // describe_wait(): for the next wait of this run slice.
  time_point loop_time = {};               // Of the timers' clock, when the worker last read it.
  executor_core& home;
  walk_ledger ledger;  // Of the walks it is in.

  // The epoch now. What a cancel() wrote before it moved it is visible.
  epoch now() const noexcept { return cancel_epoch->load(std::memory_order_acquire); }  // E1

  // Is there room on the stack for another transfer? Where transfers are tail calls, always.
  bool stack_left() const noexcept { return stack_address() > stack_limit; }

  // Resumes `target` from the loop instead of from here.
  std::coroutine_handle<> resume_from_loop(std::coroutine_handle<> target) noexcept {
    next = target;
    return std::noop_coroutine();
  }

  // The frames from `task` up to the nearest catch point are destroyed once the stack is unwound.
  std::coroutine_handle<> stop_from_loop(promise_base& task) noexcept {
    stopping = &task;
    return std::noop_coroutine();
  }

  // Puts a resumable job at the end of this worker's queue. Never allocates for sure, never fails.
  void post(job& ready) noexcept;

  // Adds new work where the newest is run first and the oldest stolen. Never fails.
  void push(job& fresh) noexcept;

  // As post(), but ahead of others: for what the running task has just made ready.
  void post_next(job& ready) noexcept;

  // What dumps shall say of a wait that begins: what its task has said of it, else `usual`.
  const char* label_of_wait(const char* usual) noexcept {
    const char* const described = std::exchange(wait_label, nullptr);
    return described != nullptr ? described : usual;
  }

  // Is what runs `under` it asked to stop, now that another has been stopped? Between the flag of a request and the move
  // of the epoch, who looks up for the first time sees it and who has looked does not: a no that was remembered is not
  // trusted.
  bool cancelled_anew(cancel_node& under) noexcept;

  // An await need not wait: the task to go on with, unless it has done so too often without giving way.
  std::coroutine_handle<> go_on(promise_base& task) noexcept;

  // The task goes to the end of the queue. Looks for a stop now, and again when its turn comes.
  std::coroutine_handle<> yield(promise_base& task) noexcept;

  // The wait is over at that time, if not before. Throws std::bad_alloc.
  void add_timer(time_point due, const ticket& wait);

  // Of the timers' clock.
  time_point time_now() const noexcept;

  // The executor, for what may outlive it.
  executor_ref executor() const noexcept;

  // Behind a walk for a cancel: stops the std::stop_tokens that are asked to, which runs foreign callbacks.
  void mark_tokens() noexcept;

  // Runs on the loop's behalf what a coroutine, resumed by other code than the loop, has left to it.
  void settle() noexcept;

  // A fork has made the first item public: wakes a thief if all are asleep.
  void published() noexcept;

  // A fork whose countdown has run out, or whose stack is nearly full: what to run instead of its first
  // child. Serves what must not wait for the loop.
  std::coroutine_handle<> leave_fork(promise_base& first) noexcept;
  std::coroutine_handle<> leave_fork(fork_each_base& fork) noexcept;

  // For a job that could go on for ever: what others have queued and not come to yet, one of them, is run here next. False if
  // there is nothing.
  bool take_from_others() noexcept;

  // The deadlines that are due, of all workers, pass. In the midst of a task, whose countdown of polls has run out.
  void look_at_time() noexcept;

  // Those without work may join the walk of that set, until it is taken back; `wake`: so may one that sleeps.
  // False if they cannot: the order of things is a seed's, or time virtual, or another walk is being shared.
  bool share_walk(slot_chunk& first, std::uint64_t walk, bool wake) noexcept;
  void end_sharing() noexcept;

  // Chunks of slots for the sets of nodes. take throws std::bad_alloc.
  slot_chunk& take_chunk(slot_chunk::kind size);
  void give_chunk(slot_chunk& empty) noexcept;

  // Slots for suspensions that no scope keeps. take throws std::bad_alloc.
  slot& take_slot();
  void give_slot(slot& empty) noexcept {
    empty.next_free(free_slots_);
    free_slots_ = &empty;
  }

 protected:
  // Throws std::bad_alloc.
  worker_core(executor_core& owner, const atomic<epoch>& epoch_of_owner)
      : cancel_epoch(&epoch_of_owner), frames(frame_cache::acquire()), home(owner) {}
  ~worker_core() { frame_cache::release(frames); }

  static constexpr std::uint32_t kept_chunks = 32;  // Of each size.

  slot* free_slots_ = nullptr;
  struct chunk_list {
    slot_chunk* first = nullptr;
    std::uint32_t count = 0;
  };
  chunk_list free_chunks_[slot_chunk::kinds];
};

// The worker this thread is, or null. Read inline where a coroutine is made, destroyed or suspended, and
// never kept over a suspension. Defined in worker.cpp; initial-exec also in a shared library.
COPPICE_EXPORT extern constinit thread_local worker_core* current_worker
    __attribute__((tls_model("initial-exec")));

// The same for code that must not be inlined into a coroutine: compilers may keep the address of a
// thread_local over a suspension.
COPPICE_EXPORT worker_core* this_worker() noexcept;

}  // namespace coppice::inline v0::detail
