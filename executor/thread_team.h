// The threads of an executor: started together or not at all, with the stack they were asked for.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace coppice::inline v0::detail {

// What a thread of the team is told of itself.
struct team_member {
  std::size_t index;
  std::uintptr_t stack_base;  // Near the top of what its function may use.
  std::size_t stack_bytes;
};

class thread_team {
 public:
  thread_team() = default;
  thread_team(const thread_team&) = delete;
  thread_team& operator=(const thread_team&) = delete;
  ~thread_team();

  // Creates up to `wanted` threads, which wait for go(). 0 for the stack: the system's default. Returns how
  // many there are; throws std::system_error if none could be created.
  std::size_t create(std::size_t wanted, std::size_t stack_bytes);

  // Lets them run `body`, which must not throw; an empty one ends them at once.
  void go(std::function<void(const team_member&)> body);

  // Waits until all have ended.
  void join() noexcept;

 private:
  struct start;

  static void* run(void* argument) noexcept;

  std::vector<pthread_t> threads_;
  std::mutex mutex_;
  std::condition_variable going_changed_;
  bool going_ = false;  // Under the lock.
  std::function<void(const team_member&)> body_;
};

}  // namespace coppice::inline v0::detail
