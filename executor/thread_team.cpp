// Threads with a stack of a given size.
#include "executor/thread_team.h"

#include <cstdio>
#include <memory>
#include <system_error>

namespace coppice::inline v0::detail {

namespace {

std::size_t stack_bytes_of_this_thread() noexcept {
  pthread_attr_t attributes;
  std::size_t bytes = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    void* lowest = nullptr;
    pthread_attr_getstack(&attributes, &lowest, &bytes);
    // What lies above this frame, thread-local storage for one, is taken already.
    bytes = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) -
            reinterpret_cast<std::uintptr_t>(lowest);
    pthread_attr_destroy(&attributes);
  }
  return bytes;
}

}  // namespace

struct thread_team::start {
  thread_team* team;
  std::size_t index;
};

// Those whose executor could not be made after all still wait.
thread_team::~thread_team() {
  const bool waiting = [this] {
    const std::lock_guard lock(mutex_);
    return !going_;
  }();
  if (waiting) {
    go({});
  }
  join();
}

std::size_t thread_team::create(std::size_t wanted, std::size_t stack_bytes) {
  threads_.reserve(wanted);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  int error = stack_bytes != 0 ? pthread_attr_setstacksize(&attributes, stack_bytes) : 0;
  for (std::size_t i = 0; i != wanted && error == 0; ++i) {
    auto argument = std::make_unique<start>(start{this, i});
    pthread_t thread;
    error = pthread_create(&thread, &attributes, &thread_team::run, argument.get());
    if (error == 0) {
      static_cast<void>(argument.release());
      threads_.push_back(thread);
    }
  }
  pthread_attr_destroy(&attributes);
  if (threads_.empty()) {
    throw std::system_error(error, std::generic_category(),
                            "coppice: no worker thread could be started");
  }
  return threads_.size();
}

void thread_team::go(std::function<void(const team_member&)> body) {
  const std::lock_guard lock(mutex_);
  body_ = std::move(body);
  going_ = true;
  going_changed_.notify_all();
}

void thread_team::join() noexcept {
  for (const pthread_t thread : threads_) {
    pthread_join(thread, nullptr);
  }
  threads_.clear();
}

void* thread_team::run(void* argument) noexcept {
  const std::unique_ptr<start> mine(static_cast<start*>(argument));
  thread_team& team = *mine->team;
  {
    std::unique_lock lock(team.mutex_);
    team.going_changed_.wait(lock, [&team] { return team.going_; });
  }
  if (team.body_) {
    char name[16];
    std::snprintf(name, sizeof(name), "coppice/%zu", mine->index);
    pthread_setname_np(pthread_self(), name);
    team.body_({mine->index, reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)),
                stack_bytes_of_this_thread()});
  }
  return nullptr;
}

}  // namespace coppice::inline v0::detail
