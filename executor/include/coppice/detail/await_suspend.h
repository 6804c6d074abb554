// How awaiters are treated that compilers would inline too early, or keep twice.
#pragma once

#include <coroutine>
#include <type_traits>
#include <utility>

// A compiler that inlines await_suspend before it splits the coroutine may keep its locals in the frame,
// which another thread can have destroyed by then (LLVM 65018, mended in clang 18).
#if defined(__clang__) && __clang_major__ < 18
#define COPPICE_AWAIT_SUSPEND __attribute__((noinline))
#else
#define COPPICE_AWAIT_SUSPEND
#endif

namespace coppice::inline v0::detail {

// g++ moves an awaiter that await_transform() hands on into a second place of the frame, beside the temporary: with this
// it keeps a reference there. clang awaits the temporary itself.
template <class A>
class in_place_awaiter {
 public:
  explicit in_place_awaiter(A& awaited) noexcept : awaited_(awaited) {}

  bool await_ready() noexcept(noexcept(std::declval<A&>().await_ready())) {
    return awaited_.await_ready();
  }
  template <class Promise>
  COPPICE_AWAIT_SUSPEND auto await_suspend(std::coroutine_handle<Promise> awaiting) noexcept(
      noexcept(std::declval<A&>().await_suspend(awaiting))) {
    return awaited_.await_suspend(awaiting);
  }
  decltype(auto) await_resume() noexcept(noexcept(std::declval<A&>().await_resume())) {
    return awaited_.await_resume();
  }

 private:
  A& awaited_;
};

// `A`: as await_transform() deduces it.
template <class A>
concept awaited_in_place =
#if defined(__GNUC__) && !defined(__clang__)
    !std::is_reference_v<A> && requires(A& each) { each.await_ready(); };
#else
    false;
#endif

}  // namespace coppice::inline v0::detail
