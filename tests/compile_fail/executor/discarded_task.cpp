// A task that is neither awaited nor spawned never runs: whoever drops one is told.
// expect: nodiscard
#include <coppice/task.h>

#pragma GCC diagnostic error "-Wunused-result"

coppice::task<> nothing() {
  co_return;
}

coppice::task<> drops() {
#ifdef CONTROL
  co_await nothing();
#else
  nothing();
  co_return;
#endif
}
