// The inbox of an executor: what foreign threads have spawned, first in first out.
#pragma once

#include <oneapi/tbb/concurrent_queue.h>

#include <coppice/detail/job.h>

#include <cstddef>
#include <new>

namespace coppice::inline v0::detail {

// Pages of oneTBB's queue come from here, since the queue does not survive a refusal: it goes on with a page
// that is none. So each push sets one aside first. And not from oneTBB's own allocator, whose locks a fork()
// would copy, and of whose reuse of memory ThreadSanitizer hears nothing.
class inbox_pages {
 public:
  static constexpr std::size_t page_bytes = 512;  // At least that of a page.

  // This thread can now allocate a page. False without memory.
  [[nodiscard]] static bool set_one_aside() noexcept;

  static void* allocate(std::size_t bytes);
  static void deallocate(void* page, std::size_t bytes) noexcept;
};

template <class T>
class inbox_allocator {
 public:
  using value_type = T;

  inbox_allocator() noexcept = default;
  template <class U>
  explicit inbox_allocator(const inbox_allocator<U>&) noexcept {}

  T* allocate(std::size_t n) { return static_cast<T*>(inbox_pages::allocate(n * sizeof(T))); }
  void deallocate(T* memory, std::size_t n) noexcept {
    inbox_pages::deallocate(memory, n * sizeof(T));
  }

  friend bool operator==(const inbox_allocator&, const inbox_allocator&) noexcept { return true; }
};

class inbox {
 public:
  // Any thread. False without memory: nothing has changed.
  [[nodiscard]] bool push(job& fresh) noexcept {
    if (!inbox_pages::set_one_aside()) {
      return false;
    }
    jobs_.push(&fresh);
    return true;
  }

  // Any worker; null if it is empty.
  job* try_pop() noexcept {
    job* oldest = nullptr;
    return jobs_.try_pop(oldest) ? oldest : nullptr;
  }

 private:
  tbb::concurrent_queue<job*, inbox_allocator<job*>> jobs_;
};

}  // namespace coppice::inline v0::detail
