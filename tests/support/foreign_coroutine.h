// A coroutine type and awaitables that know nothing of this library, as another one would have them.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

namespace coppice::testing_support {

// Lazy; runs where it is resumed, and resumes whoever awaits it there.
template <class T>
class foreign_task {
 public:
  class promise_type {
   public:
    foreign_task get_return_object() noexcept {
      return foreign_task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    auto final_suspend() const noexcept {
      struct transfer {
        bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(
            std::coroutine_handle<promise_type> self) const noexcept {
          return self.promise().continuation_;
        }
        void await_resume() const noexcept {}
      };
      return transfer();
    }
    void return_value(T value) { value_.emplace(std::move(value)); }
    void unhandled_exception() noexcept { error_ = std::current_exception(); }

   private:
    friend class foreign_task;

    std::coroutine_handle<> continuation_;
    std::optional<T> value_;
    std::exception_ptr error_;
  };

  foreign_task(foreign_task&& other) noexcept
      : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  foreign_task& operator=(foreign_task&&) = delete;
  ~foreign_task() {
    if (coroutine_) {
      coroutine_.destroy();
    }
  }

  auto operator co_await() && noexcept {
    struct awaiter {
      std::coroutine_handle<promise_type> coroutine;

      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        coroutine.promise().continuation_ = awaiting;
        return coroutine;
      }
      T await_resume() const {
        if (coroutine.promise().error_) {
          std::rethrow_exception(coroutine.promise().error_);
        }
        return std::move(*coroutine.promise().value_);
      }
    };
    return awaiter{coroutine_};
  }

 private:
  explicit foreign_task(std::coroutine_handle<promise_type> coroutine) noexcept
      : coroutine_(coroutine) {}

  std::coroutine_handle<promise_type> coroutine_;
};

// Starts at once, and nobody waits for it. A failure that escapes terminates.
struct foreign_detached {
  struct promise_type {
    foreign_detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

// Resumes in a thread of its own, which has nothing to do with the awaiter once it runs. Gives the value.
template <class T>
class on_new_thread {
 public:
  explicit on_new_thread(T value) : value_(std::forward<T>(value)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) const {
    std::thread([awaiting] { awaiting.resume(); }).detach();
  }
  T await_resume() { return std::forward<T>(value_); }

 private:
  T value_;
};

}  // namespace coppice::testing_support
