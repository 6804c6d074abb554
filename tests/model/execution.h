// One execution of a model: its virtual threads, of which one runs at a time, and what their memory gives them.
//
// A virtual thread has a stack of its own, and its own copy of what the program has of thread-local variables. It
// gives way before each of its steps: operations on atomics, locks, waits. So an execution is what was decided there,
// and nothing else.
#pragma once

#include "tests/model/decisions.h"
#include "tests/model/memory.h"
#include "tests/model/plain_memory.h"

#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace coppice_model {

// What may be said of an execution beforehand.
struct limits {
  std::size_t steps = 20'000;         // More are taken for no end.
  std::optional<std::size_t> frozen;  // A thread that may stand still for ever at any of its steps.
  bool traced = false;                // Keeps what each step did.
  bool first = false;                 // In this process.
};

class execution final : public delays {
 public:
  // The one that runs now; null outside of any.
  static execution* current() noexcept { return current_; }
  static void abandon() noexcept { current_ = nullptr; }

  execution(decisions& decider, const limits& within);
  ~execution();
  execution(const execution&) = delete;
  execution& operator=(const execution&) = delete;

  // Runs the body as thread 0 until all threads have ended, or something is wrong: then it says what. The threads are
  // then left as they are.
  std::optional<std::string> run(const std::function<void()>& body);

  std::size_t steps() const noexcept { return steps_; }
  const std::vector<std::string>& trace() const noexcept { return trace_; }

  // ---- For the running thread -------------------------------------------------------------------

  // Here the thread may lose its turn.
  void step();

  // Something is wrong: nothing of this execution goes on.
  [[noreturn]] void fail(const std::string& what) override;
  std::size_t delay(std::size_t choices) override;
  bool is_first() const override { return within_.first; }

  std::size_t self() const noexcept { return running_; }
  view& known() noexcept { return threads_[running_]->known; }
  memory& store() noexcept { return memory_; }
  plain_memory& plain() noexcept { return plain_; }

  // Is it one of the program's thread-local variables, which each virtual thread has for itself?
  static bool is_local(const void* at) noexcept;

  // At that address, which is no location of the model's, threads tell each other what they know.
  void meet(const void* at);
  void note(const std::string& what);
  bool traced() const noexcept { return within_.traced; }

  std::size_t start(std::function<void()> body);
  void join(std::size_t thread);

  // Others first: it has looked in vain for what they are to do.
  void yield();

  void lock(const void* mutex);
  bool try_lock(const void* mutex);
  void unlock(const void* mutex);

  // Waits until woken, for `what` it says; false if `deadline`, in nanoseconds of its clock, came first. Time goes on
  // only when nobody else can.
  bool wait(const void* key, const char* what, std::optional<std::int64_t> deadline);
  void wake(const void* key, std::size_t most);
  std::int64_t time_ns() const noexcept { return time_ns_; }

  // Of the running thread: its lowest address, and how many bytes.
  std::pair<void*, std::size_t> stack() const noexcept;

 private:
  enum class state : std::uint8_t { runnable, yielding, waiting, frozen, ended };

  struct thread {
    std::size_t id = 0;
    state at = state::runnable;
    std::function<void()> body;
    ucontext_t context{};
    char* stack = nullptr;
    view known;
    const void* waits_at = nullptr;
    const char* waits_for = "";
    std::optional<std::int64_t> deadline;
    bool timed_out = false;
    std::size_t yielded_at = 0;
    list<char> locals;         // While it does not run.
    char exceptions[16] = {};  // What the runtime keeps of those in flight.
  };

  struct mutex {
    std::optional<std::size_t> owner;
    view released;
  };

  static void enter(unsigned id);
  bool can_go_on(const thread& each) const;
  void give_way(bool may_go_on);
  void resume(std::size_t next);
  std::size_t without_turn();
  std::string standing() const;
  [[noreturn]] void leave();

  static execution* current_;

  decisions& decider_;
  const limits within_;
  memory memory_;
  plain_memory plain_;
  list<std::unique_ptr<thread>> threads_;
  template <class T>
  using by_address = std::unordered_map<const void*, T, std::hash<const void*>, std::equal_to<>,
                                        own_allocator<std::pair<const void* const, T>>>;
  by_address<mutex> mutexes_;
  by_address<view> meetings_;
  std::size_t running_ = 0;
  std::size_t steps_ = 0;
  std::size_t in_a_row_ = 0;
  std::int64_t time_ns_ = 1'000'000'000'000;
  bool thawed_ = false;
  list<std::size_t> options_;
  std::optional<std::string> failure_;
  std::vector<std::string> trace_;
  ucontext_t outside_{};
};

}  // namespace coppice_model
