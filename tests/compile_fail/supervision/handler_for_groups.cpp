// The leaves of a group are no groups: such a handler would never be called.
// expect: coppice: handle<E> looks at the leaves of a group, and no group is a leaf
#include <coppice/exception_group.h>

#ifdef CONTROL
using handled = int;
#else
using handled = coppice::exception_group;
#endif

void handle_rest(const coppice::exception_group& group) {
  group.handle<handled>([](const handled&) {}).rethrow_rest();
}
