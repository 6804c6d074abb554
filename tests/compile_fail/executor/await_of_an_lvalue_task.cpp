// A task runs once, so that awaiting it takes it from its owner: that is to be seen in the code.
// expect: no match for|no viable|discards qualifiers|no member|'co_await'|ref-qualifier|passing
#include <coppice/task.h>

#include <utility>

coppice::task<int> number() {
  co_return 1;
}

coppice::task<int> awaits() {
  coppice::task<int> once = number();
#ifdef CONTROL
  co_return co_await std::move(once);
#else
  co_return co_await once;
#endif
}
