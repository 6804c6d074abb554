// Uses coppice with oneTBB: a task adds numbers up.
#include <coppice/runtime.h>
#include <coppice/tbb.h>

#include <functional>

int main() {
  coppice::runtime runtime;
  const int sum = runtime.block_on([]() -> coppice::task<int> {
    const auto add = [](const tbb::blocked_range<int>& part, int so_far) {
      for (int i = part.begin(); i != part.end(); ++i) {
        so_far += i;
      }
      return so_far;
    };
    co_return co_await coppice::parallel_reduce(tbb::blocked_range<int>(0, 1000), 0, add,
                                                std::plus<>());
  });
  return sum == 499'500 ? 0 : 1;
}
