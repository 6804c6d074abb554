// Uses the executor alone: a result comes out of it, and so does what the library throws.
#include <coppice/executor.h>

namespace {

coppice::task<int> answer() {
  co_return 42;
}

// A worker that blocks on its own executor is refused.
coppice::task<int> blocking_answer(coppice::executor& executor) {
  co_return executor.block_on(answer());
}

}  // namespace

int main() {
  coppice::executor executor;
  if (executor.block_on(answer()) != 42) {
    return 1;
  }
  try {
    executor.block_on(blocking_answer(executor));
  } catch (const coppice::usage_error&) {
    return 0;
  }
  return 1;
}
