// What does each failure cost that a group collects, and each that is split off it?
#include <algorithm>
#include <stdexcept>
#include <vector>

#include "bench/unwind/failures.h"
#include "bench/unwind/row.h"

namespace bench::unwind_suite {
namespace {

// Rounds of so many things each, about as many in all; an odd number.
std::size_t rounds_for(const setting& at, std::size_t size, std::size_t all) {
  return at.scaled(all / size) / 2 * 2 + 5;
}

double median(std::vector<double>& of) {
  std::ranges::sort(of);
  return of[of.size() / 2];
}

// One throw and its catch, with nothing between them.
double ns_of_throw() {
  constexpr int times = 100;
  const auto begun = clock::now();
  for (int i = 0; i != times; ++i) {
    try {
      throw std::out_of_range("a failure");
    } catch (const std::out_of_range& failure) {
      require(failure.what()[0] == 'a', "another failure was caught");
    }
  }
  return ns_since(begun) / times;
}

// In turns.
template <std::size_t Children>
numbers collect(const setting& at) {
  coppice::runtime on({.threads = at.workers});
  std::vector<double> failing;
  std::vector<double> ending;
  std::vector<double> thrown;
  for (std::size_t left = rounds_for(at, Children, 100'000); left != 0; --left) {
    failing.push_back(ns_to_collect(on, Children));
    ending.push_back(ns_to_join(on, Children));
    thrown.push_back(ns_of_throw());
  }
  const double all = median(failing);
  const double child = median(ending);
  const double one_throw = median(thrown);
  return numbers(all)
      .add("ns_child", child)
      .add("ns_throw", one_throw)
      .add("ns_beside_both", all - child - one_throw);
}

// Leaves of two types in turns, of which one is asked for.
template <std::size_t Leaves>
numbers split(const setting& at) {
  std::vector<coppice::error_entry> leaves;
  for (std::size_t i = 0; i != Leaves; ++i) {
    leaves.emplace_back(i % 2 == 0 ? std::make_exception_ptr(std::out_of_range("even"))
                                   : std::make_exception_ptr(std::invalid_argument("odd")));
  }
  const coppice::exception_group group("to be split", leaves);
  std::vector<double> ns;
  for (std::size_t left = rounds_for(at, Leaves, 1'000'000); left != 0; --left) {
    const auto begun = clock::now();
    const coppice::group_split sides = group.split<std::out_of_range>();
    ns.push_back(ns_since(begun) / static_cast<double>(Leaves));
    const auto count = [](const coppice::group_ptr& side) {
      return side != nullptr ? side->leaf_count() : 0;
    };
    require(count(sides.matching) == (Leaves + 1) / 2 && count(sides.rest) == Leaves / 2,
            "a leaf is on the wrong side");
  }
  return numbers(median(ns)).add("ns_least", ns.front());
}

constexpr row rows[] = {
    {"collect/1", 1, &collect<1>},
    {"collect/10", 1, &collect<10>},
    {"collect/100", 1, &collect<100>},
    {"collect/1000", 1, &collect<1'000>},
    {"collect/10000", 1, &collect<10'000>},
    {"collect/100000", 1, &collect<100'000>},
    {"collect/1000", 2, &collect<1'000>},
    {"collect/100000", 2, &collect<100'000>},
    {"split/1", 1, &split<1>},
    {"split/10", 1, &split<10>},
    {"split/100", 1, &split<100>},
    {"split/1000", 1, &split<1'000>},
    {"split/10000", 1, &split<10'000>},
    {"split/100000", 1, &split<100'000>},
};

}  // namespace

std::span<const row> group_rows() noexcept {
  return rows;
}

}  // namespace bench::unwind_suite
