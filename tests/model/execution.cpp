#include "tests/model/execution.h"

#include <cxxabi.h>
#include <link.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <utility>

namespace coppice_model {

namespace {

constexpr std::size_t stack_bytes = std::size_t{512} * 1024;
constexpr std::size_t most_in_a_row = 2'000;  // Steps of one thread, before it is taken to spin.

// Stacks of earlier executions.
std::vector<char*>& spare_stacks() {
  static auto* const stacks = new std::vector<char*>;
  return *stacks;
}

char* take_stack() {
  std::vector<char*>& spare = spare_stacks();
  if (!spare.empty()) {
    char* const stack = spare.back();
    spare.pop_back();
    return stack;
  }
  void* const memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  return static_cast<char*>(memory);
}

// The program's own thread-local variables, of which each virtual thread has a copy.
struct thread_locals {
  std::span<char> live;  // Those of the thread that we are.
  list<char> beginning;  // How a new thread finds them.

  thread_locals() {
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* self) {
          auto& mine = *static_cast<thread_locals*>(self);
          for (int i = 0; i != info->dlpi_phnum; ++i) {
            const ElfW(Phdr)& part = info->dlpi_phdr[i];
            if (part.p_type == PT_TLS) {
              mine.live = {static_cast<char*>(info->dlpi_tls_data), part.p_memsz};
              mine.beginning.assign(part.p_memsz, 0);
              std::memcpy(mine.beginning.data(),
                          reinterpret_cast<const char*>(info->dlpi_addr + part.p_vaddr),
                          part.p_filesz);
            }
          }
          return 1;  // The first is the program itself.
        },
        this);
  }
};

const thread_locals& program_locals() {
  static auto* const locals = new thread_locals;
  return *locals;
}

}  // namespace

execution* execution::current_ = nullptr;

execution::execution(decisions& decider, const limits& within)
    : decider_(decider), within_(within), memory_(*this), plain_(*this) {}

execution::~execution() {
  for (const auto& each : threads_) {
    spare_stacks().push_back(each->stack);
  }
}

std::optional<std::string> execution::run(const std::function<void()>& body) {
  const std::span<char> live = program_locals().live;
  const std::vector<char> kept(live.begin(), live.end());
  char exceptions[sizeof(thread::exceptions)];
  std::memcpy(exceptions, abi::__cxa_get_globals(), sizeof(exceptions));
  start(body);
  thread& first = *threads_[0];
  std::copy(first.locals.begin(), first.locals.end(), live.begin());
  current_ = this;
  swapcontext(&outside_, &first.context);
  current_ = nullptr;
  std::copy(kept.begin(), kept.end(), live.begin());
  std::memcpy(abi::__cxa_get_globals(), exceptions, sizeof(exceptions));
  return failure_;
}

void execution::leave() {
  setcontext(&outside_);
  std::terminate();
}

void execution::fail(const std::string& what) {
  failure_ =
      what + (decider_.repeatable() ? "" : "; not the same as before, under the same decisions");
  leave();
}

std::size_t execution::delay(std::size_t choices) {
  return decider_.decide(decision::delay, choices);
}

bool execution::is_local(const void* at) noexcept {
  static const std::span<char> live = program_locals().live;
  return at >= live.data() && at < live.data() + live.size();
}

void execution::meet(const void* at) {
  view& there = meetings_[at];
  known().join(there);
  there.join(known());
  known().tick(running_);
}

void execution::note(const std::string& what) {
  trace_.push_back("thread " + std::to_string(running_) + "  " + what);
}

std::pair<void*, std::size_t> execution::stack() const noexcept {
  return {threads_[running_]->stack, stack_bytes};
}

// ---- Threads ------------------------------------------------------------------------------------

std::size_t execution::start(std::function<void()> body) {
  const std::size_t id = threads_.size();
  if (id == most_threads) {
    fail("more threads than an execution can have");
  }
  auto fresh = std::make_unique<thread>();
  fresh->id = id;
  fresh->body = std::move(body);
  fresh->stack = take_stack();
  fresh->locals = program_locals().beginning;
  if (id != 0) {
    fresh->known = known();
  }
  getcontext(&fresh->context);
  fresh->context.uc_stack.ss_sp = fresh->stack;
  fresh->context.uc_stack.ss_size = stack_bytes;
  fresh->context.uc_link = nullptr;
  makecontext(&fresh->context, reinterpret_cast<void (*)()>(&execution::enter), 1,
              static_cast<unsigned>(id));
  fresh->known.tick(id);
  threads_.push_back(std::move(fresh));
  return id;
}

void execution::enter(unsigned id) {
  execution& run = *current_;
  thread& self = *run.threads_[id];
  self.body();
  self.body = nullptr;
  run.step();
  self.at = state::ended;
  run.wake(&self, most_threads);
  run.give_way(false);
  std::terminate();
}

void execution::join(std::size_t id) {
  step();
  thread& other = *threads_[id];
  while (other.at != state::ended) {
    wait(&other, "the end of a thread", std::nullopt);
  }
  known().join(other.known);
}

bool execution::can_go_on(const thread& each) const {
  return each.at == state::runnable || (each.at == state::yielding && steps_ > each.yielded_at);
}

void execution::step() {
  if (++steps_ > within_.steps) {
    fail("no end within " + std::to_string(within_.steps) + " steps; " + standing());
  }
  thread& self = *threads_[running_];
  self.known.tick(running_);
  if (within_.frozen == running_ && !thawed_ && decider_.decide(decision::freeze, 2) != 0) {
    self.at = state::frozen;
    if (traced()) {
      note("stands still");
    }
    give_way(false);
    return;
  }
  if (++in_a_row_ > most_in_a_row) {
    yield();
    return;
  }
  give_way(true);
}

void execution::yield() {
  thread& self = *threads_[running_];
  ++steps_;
  self.at = state::yielding;
  self.yielded_at = steps_;
  decider_.yielded(running_);
  give_way(false);
}

// To whoever is to run next, which may be the thread itself.
void execution::give_way(bool may_go_on) {
  options_.clear();
  if (may_go_on) {
    options_.push_back(running_);
  }
  for (const auto& each : threads_) {
    if (can_go_on(*each) && !(may_go_on && each->id == running_)) {
      options_.push_back(each->id);
    }
  }
  if (options_.empty()) {
    options_.push_back(without_turn());
  }
  const std::size_t chosen =
      options_.size() == 1
          ? 0
          : decider_.decide_turn(may_go_on ? decision::preempt : decision::turn, options_);
  resume(options_[chosen]);
  if (!decider_.repeatable()) {
    fail("the model does not repeat itself");
  }
}

void execution::resume(std::size_t next) {
  thread& from = *threads_[running_];
  thread& to = *threads_[next];
  to.at = state::runnable;
  if (&from == &to) {
    return;
  }
  in_a_row_ = 0;
  running_ = next;
  const std::span<char> live = program_locals().live;
  std::copy(live.begin(), live.end(), from.locals.begin());
  std::copy(to.locals.begin(), to.locals.end(), live.begin());
  std::memcpy(from.exceptions, abi::__cxa_get_globals(), sizeof(from.exceptions));
  std::memcpy(abi::__cxa_get_globals(), to.exceptions, sizeof(to.exceptions));
  swapcontext(&from.context, &to.context);
}

// Nobody can go on as things are: it is over, or time goes on, or who stands still has stood long enough.
std::size_t execution::without_turn() {
  thread* soonest = nullptr;
  thread* frozen = nullptr;
  bool others_ended = true;
  bool all_ended = true;
  for (const auto& each : threads_) {
    if (each->at == state::yielding) {
      return each->id;
    }
    if (each->deadline && (soonest == nullptr || *each->deadline < *soonest->deadline)) {
      soonest = each.get();
    }
    frozen = each->at == state::frozen ? each.get() : frozen;
    all_ended &= each->at == state::ended;
    others_ended &= each->at == state::ended || each->at == state::frozen || each->id == 0;
  }
  if (all_ended) {
    leave();
  }
  if (soonest != nullptr) {
    time_ns_ = std::max(time_ns_, *soonest->deadline);
    soonest->timed_out = true;
    soonest->deadline.reset();
    return soonest->id;
  }
  if (frozen != nullptr && others_ended) {
    thawed_ = true;
    return frozen->id;
  }
  fail("nobody can go on: " + standing());
}

std::string execution::standing() const {
  std::string text;
  for (const auto& each : threads_) {
    text += (text.empty() ? "thread " : ", thread ") + std::to_string(each->id);
    switch (each->at) {
      case state::runnable:
        text += " runs";
        break;
      case state::yielding:
        text += " looks again and again";
        break;
      case state::waiting:
        text += std::string(" waits for ") + each->waits_for;
        break;
      case state::frozen:
        text += " stands still for ever";
        break;
      case state::ended:
        text += " has ended";
        break;
    }
  }
  return text;
}

// ---- Waiting ------------------------------------------------------------------------------------

bool execution::wait(const void* key, const char* what, std::optional<std::int64_t> deadline) {
  thread& self = *threads_[running_];
  self.at = state::waiting;
  self.waits_at = key;
  self.waits_for = what;
  self.deadline = deadline;
  self.timed_out = false;
  give_way(false);
  self.deadline.reset();
  self.waits_at = nullptr;
  return !self.timed_out;
}

void execution::wake(const void* key, std::size_t most) {
  for (const auto& each : threads_) {
    if (most != 0 && each->at == state::waiting && each->waits_at == key) {
      each->at = state::runnable;
      each->deadline.reset();
      --most;
    }
  }
}

void execution::lock(const void* of) {
  step();
  while (mutexes_[of].owner) {
    wait(of, "a mutex", std::nullopt);
  }
  mutexes_[of].owner = running_;
  known().join(mutexes_[of].released);
}

bool execution::try_lock(const void* of) {
  step();
  if (mutexes_[of].owner) {
    return false;
  }
  mutexes_[of].owner = running_;
  known().join(mutexes_[of].released);
  return true;
}

void execution::unlock(const void* of) {
  mutexes_[of].owner.reset();
  mutexes_[of].released = known();
  known().tick(running_);
  wake(of, most_threads);
}

}  // namespace coppice_model
