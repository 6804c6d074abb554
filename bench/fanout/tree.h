// The trees that are cancelled, the same for every system.
#pragma once

#include <cstddef>
#include <vector>

#include "bench/fanout/scene.h"

namespace bench::fanout_suite {

struct group {
  std::size_t first_leaf = 0;
  std::size_t leaves = 0;                // Its own.
  std::vector<std::size_t> groups = {};  // Those directly in it.
};

// The first is what is cancelled; each comes before those in it.
using tree = std::vector<group>;

tree make_tree(const scene& of);

}  // namespace bench::fanout_suite
