// g++ 12 destroys a closure twice that is written inside co_await and owns something: a call that
// is awaited refuses it there, and says what to write instead.
// expect: coppice: this compiler destroys such a lambda twice.*Name the lambda
// only: GNU
#include <coppice/awaitable.h>
#include <coppice/task.h>

#include <memory>
#include <type_traits>
#include <utility>

using coppice::task;

// As awaited calls are declared.
template <class F>
coppice::detail::guarded<task<int>, F> calls(F&& body) {
  return body();
}

task<int> awaits(std::shared_ptr<int> owned) {
#ifdef CONTROL
  auto body = [owned]() -> task<int> { co_return *owned; };
  const int named = co_await calls(body);
  const int moved = co_await calls(coppice::moved(body));
  const int trivial = co_await calls([&]() -> task<int> { co_return *owned; });
  co_return named + moved + trivial;
#else
  co_return co_await calls([owned]() -> task<int> { co_return *owned; });
#endif
}
