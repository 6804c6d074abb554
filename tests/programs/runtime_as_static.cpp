// A runtime that is a static object, with tasks that still run when the program exits.
//   exit:  std::exit from main, while tasks sleep and compute
//   inner: std::exit from inside block_on's caller, after an exception
//   local: a function's static, made while another exists
#include <coppice/coppice.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;

coppice::task<> sleeper() {
  co_await coppice::sleep_for(coppice::forever);
}

coppice::task<> busy() {
  for (;;) {
    co_await coppice::yield();
  }
}

coppice::runtime global{coppice::options{.threads = 2}};

coppice::runtime& local() {
  static coppice::runtime rt{coppice::options{.threads = 1}};
  return rt;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "exit";
  global.spawn(sleeper());
  global.spawn(busy());
  if (how == "inner") {
    try {
      global.block_on([]() -> coppice::task<> { throw std::runtime_error("on purpose"); });
    } catch (const std::runtime_error&) {
      std::exit(0);
    }
    return 1;
  }
  if (how == "local") {
    local().spawn(sleeper());
    local().spawn(busy());
    return local().block_on([] { return 0; });
  }
  std::exit(0);
}
