// How leaves are dealt out.
#include "bench/fanout/tree.h"

#include <cmath>
#include <random>

namespace bench::fanout_suite {
namespace {

// sqrt(N) groups of sqrt(N).
tree wide(std::size_t leaves) {
  const auto groups = static_cast<std::size_t>(std::sqrt(static_cast<double>(leaves)));
  tree all(1 + groups);
  for (std::size_t i = 0; i != groups; ++i) {
    all[0].groups.push_back(1 + i);
    all[1 + i].leaves = leaves * (i + 1) / groups - leaves * i / groups;
  }
  return all;
}

// Groups in one another, with a leaf in each.
tree deep(std::size_t groups) {
  tree all(groups);
  for (std::size_t i = 0; i != groups; ++i) {
    all[i].leaves = 1;
    if (i + 1 != groups) {
      all[i].groups.push_back(i + 1);
    }
  }
  return all;
}

// Each group lies in any that was there before, and each leaf in any group; ten leaves to a group. What draws is easily had
// in other languages: x becomes 48271 x mod (2^31 - 1), and begins as 1.
tree random(std::size_t leaves) {
  std::minstd_rand draw;
  tree all(leaves / 10);
  for (std::size_t i = 1; i != all.size(); ++i) {
    all[draw() % i].groups.push_back(i);
  }
  for (std::size_t i = 0; i != leaves; ++i) {
    ++all[draw() % all.size()].leaves;
  }
  return all;
}

tree shaped(form shape, std::size_t leaves) {
  switch (shape) {
    case form::wide:
      return wide(leaves);
    case form::deep:
      return deep(leaves);
    case form::random:
      return random(leaves);
    case form::flat:
      break;
  }
  return tree{{.leaves = leaves}};
}

}  // namespace

tree make_tree(const scene& of) {
  tree all = shaped(of.shape, of.leaves);
  std::size_t before = 0;
  for (group& each : all) {
    each.first_leaf = before;
    before += each.leaves;
  }
  return all;
}

}  // namespace bench::fanout_suite
