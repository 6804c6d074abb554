// A task that a handler returns would be dropped, and never run.
// expect: coppice: a handler of leaves is a plain function
#include <coppice/exception_group.h>
#include <coppice/task.h>

#ifdef CONTROL
void handler(int) {}
#else
coppice::task<> handler(int) {
  co_return;
}
#endif

void handle_rest(const coppice::exception_group& group) {
  group.handle<int>(handler).rethrow_rest();
}
