#include <coppice/mutex.h>

#include <cstdio>
#include <exception>

namespace coppice::inline v0 {

async_mutex::~async_mutex() {
  if (pool_.available() == 0) {
    std::fputs(
        "coppice: an async_mutex is destroyed while it is locked, and would be unlocked when it is "
        "gone. Let it outlive its locks: declare it before them, and await the tasks that hold "
        "one.\n",
        stderr);
    std::terminate();
  }
}

}  // namespace coppice::inline v0
