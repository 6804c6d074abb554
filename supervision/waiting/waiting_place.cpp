#include <coppice/detail/waiting_place.h>

#include <cstdio>
#include <exception>
#include <thread>
#include <utility>

namespace coppice::inline v0::detail {

void end_of_waiting_place(const char* what) noexcept {
  std::fprintf(stderr,
               "coppice: %s is destroyed while a task waits there, which would never go on. Let "
               "it outlive the "
               "tasks that use it: open their group where it is in scope, or cancel and await "
               "them first.\n",
               what);
  std::terminate();
}

waiting_place::~waiting_place() {
  std::unique_lock lock(mutex);
  while (serving_ != 0) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
  if (!waiters.empty()) {
    end_of_waiting_place(what_);
  }
}

// Those who are to go stand in a list of their own, lest one be among them who comes to wait meanwhile. Whoever is
// stopped leaves that list as he would have left the other.
void waiting_place::release_all(std::unique_lock<std::mutex> lock) noexcept {
  waiter_list leaving;
  leaving.take_all(waiters);
  serve_all(std::move(lock), [&](woken_list& woken) noexcept {
    waiter* const next = leaving.first();
    if (next != nullptr) {
      next->serve(woken);
    }
    return next != nullptr;
  });
}

}  // namespace coppice::inline v0::detail
