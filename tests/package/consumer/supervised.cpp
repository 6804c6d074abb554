// Uses all of coppice: a result comes out of a runtime, and so does what the library throws.
#include <coppice/runtime.h>

namespace {

coppice::task<int> answer() {
  co_return 42;
}

// A worker that blocks on its own runtime is refused.
coppice::task<int> blocking_answer(coppice::runtime& runtime) {
  co_return runtime.block_on(answer());
}

}  // namespace

int main() {
  coppice::runtime runtime;
  if (runtime.block_on(answer()) != 42) {
    return 1;
  }
  try {
    runtime.block_on(blocking_answer(runtime));
  } catch (const coppice::usage_error&) {
    return 0;
  }
  return 1;
}
