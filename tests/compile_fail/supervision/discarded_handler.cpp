// A chain that ends without rethrow_rest() loses nothing, but was hardly meant.
// expect: nodiscard
#include <coppice/exception_group.h>

#pragma GCC diagnostic error "-Wunused-result"

void handle_rest(const coppice::exception_group& group) {
#ifdef CONTROL
  group.handle<int>([](int) {}).rethrow_rest();
#else
  group.handle<int>([](int) {});
#endif
}
