// A plugin with a runtime of its own, as a static and in a call.
#include <coppice/coppice.h>

#include <memory>

namespace {

coppice::task<int> number(int n) {
  co_return n;
}

// Named, for g++ 12 gives all coroutine lambdas in an extern "C" function one symbol.
coppice::task<int> call(int n) {
  const auto handle = coppice::spawn(number, n);
  co_return co_await handle;
}

// Lives until the plugin is unloaded, with a task that never ends by itself.
struct background {
  coppice::runtime rt{coppice::options{.threads = 1}};
  coppice::task_handle<> endless =
      rt.spawn([]() -> coppice::task<> { co_await coppice::sleep_for(coppice::forever); });
};

std::unique_ptr<background> kept;

}  // namespace

// What a block_on of a runtime of its own gives, which is n.
extern "C" __attribute__((visibility("default"))) int plugin_call(int n) {
  coppice::runtime rt({.threads = 2});
  return rt.block_on(call, n);
}

// Leaves a runtime behind, for the plugin's end.
extern "C" __attribute__((visibility("default"))) int plugin_keep() {
  kept = std::make_unique<background>();
  return kept->endless.done() ? 1 : 0;
}
