// g++ 12 destroys an aggregate twice that is made by braces inside co_await and owns something.
// expect: coppice: this compiler destroys such an aggregate twice.*Name it first
// only: GNU
#include <coppice/awaitable.h>
#include <coppice/task.h>

#include <string>
#include <utility>

using coppice::task;

struct order {
  std::string id;
};

struct made_by_constructor {
  explicit made_by_constructor(std::string text) : id(std::move(text)) {}
  std::string id;
};

// As awaited calls are declared that take a value.
template <class V>
coppice::detail::guarded_value<task<>, V> sends(V&&) {
  return [](int) -> task<> { co_return; }(1);
}

task<> awaits() {
#ifdef CONTROL
  order named{"a"};
  co_await sends(named);
  co_await sends(coppice::moved(named));
  co_await sends(made_by_constructor("b"));
#else
  co_await sends(order{"a"});
#endif
}
