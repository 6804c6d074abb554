// Where the frames of leaves lie.
#pragma once

#include <algorithm>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

namespace bench {

// As they are made, or anywhere, as after a service has run for a while.
enum class layout { ordered, scattered };

// Makes as many coroutines, which nobody runs, and frees them in an order drawn at random: those that this worker makes
// next lie anywhere.
template <class Make>
void scatter(std::size_t count, Make make) {
  std::vector<decltype(make(std::size_t{}))> made;
  made.reserve(count);
  for (std::size_t i = 0; i != count; ++i) {
    made.push_back(make(i));
  }
  std::mt19937_64 random(count);
  std::shuffle(made.begin(), made.end(), random);
}

}  // namespace bench
