// What main returns is the exit status.
// expect: coppice: run takes a callable that gives an int
#include <coppice/runtime.h>

#include <string>

int main() {
#ifdef CONTROL
  return coppice::run([]() -> coppice::task<int> { co_return 0; }) +
         coppice::run([]() -> coppice::task<> { co_return; });
#else
  return coppice::run([]() -> coppice::task<std::string> { co_return ""; });
#endif
}
