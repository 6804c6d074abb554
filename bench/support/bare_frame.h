// What limits a fan-out: suspended frames of nobody's, which are found, asked, counted and told by nobody.
#pragma once

#include <coppice/detail/promise_base.h>

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

#include "bench/support/ticks.h"

namespace bench {

// A coroutine that owns itself once it is resumed; its frame is from the worker's pool.
class bare_frame {
 public:
  struct promise_type {
    bare_frame get_return_object() noexcept {
      return bare_frame(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    static void* operator new(std::size_t bytes) {
      return coppice::detail::promise_base::operator new(bytes);
    }
    static void operator delete(void* frame, std::size_t bytes) noexcept {
      coppice::detail::promise_base::operator delete(frame, bytes);
    }
  };

  explicit bare_frame(std::coroutine_handle<> own) noexcept : own_(own) {}
  bare_frame(bare_frame&& other) noexcept : own_(std::exchange(other.own_, nullptr)) {}
  bare_frame& operator=(bare_frame&& other) noexcept {
    std::swap(own_, other.own_);
    return *this;
  }
  ~bare_frame() {
    if (own_) {
      own_.destroy();
    }
  }

  // It is not suspended again.
  void resume() noexcept { std::exchange(own_, nullptr).resume(); }
  // Somebody else does that.
  void release() noexcept { own_ = nullptr; }
  void fetch() const noexcept { __builtin_prefetch(own_.address(), 1); }

 private:
  std::coroutine_handle<> own_;
};

// The parts of all threads begin together.
class line_up {
 public:
  explicit line_up(unsigned parts) noexcept : missing_(parts) {}

  ticks wait() noexcept {
    missing_.fetch_sub(1, std::memory_order_acq_rel);
    while (missing_.load(std::memory_order_acquire) != 0) {
    }
    return ticks_now();
  }

 private:
  std::atomic<unsigned> missing_;
};

}  // namespace bench
