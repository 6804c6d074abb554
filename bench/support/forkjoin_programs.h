// The four programs by which the field compares fork-join: their sizes, results and task counts.
//
//   fib      a task a call, so two children, and nothing else to do
//   skynet   a tree with ten children a node adds up the numbers of its leaves
//   nqueens  a task a placement of some queens; its children place the next one
//   matmul   quarters of the product, and of those, down to blocks of 32 x 32 ints
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

enum class program { fib, skynet, nqueens, matmul };

// A program at a size: fib's argument, skynet's depth, how many queens, the rows of a matrix.
struct problem {
  program what;
  unsigned size;

  friend bool operator==(const problem&, const problem&) = default;
};

// "fib", and "fib39".
std::string name(program what);
std::string name(problem one);

// Which sizes can be solved: "a number from 0 to 50", and whether this is one.
std::string possible_sizes(program what);
bool possible(problem one) noexcept;

// How many tasks a solution takes and what it gives; for matmul how many cells of it are right.
std::uint64_t task_count(problem one) noexcept;
std::uint64_t right_result(problem one) noexcept;

// The same program, large enough to start every thread and to fill the pools.
problem warm_up(problem one) noexcept;

// Ten to the power of `exponent`, by a loop as in the programs of the field, where each task that
// has children computes it.
inline std::uint64_t power_of_ten(unsigned exponent) noexcept {
  std::uint64_t power = 1;
  for (unsigned i = 0; i != exponent; ++i) {
    power *= 10;
  }
  return power;
}

// A product of square blocks of matrices whose rows lie `stride` apart: c += a * b.
struct product {
  static constexpr unsigned leaf = 32;

  const int* a;
  const int* b;
  int* c;
  unsigned rows;
  unsigned stride;

  // The product of half k of a's rows i with b's columns j, for c's quarter i, j. Those of one k
  // write each to another quarter.
  product half(unsigned i, unsigned j, unsigned k) const noexcept {
    const unsigned middle = rows / 2;
    const auto offset = [&](unsigned row, unsigned column) {
      return (row * stride + column) * middle;
    };
    return {a + offset(i, k), b + offset(k, j), c + offset(i, j), middle, stride};
  }
};

// The loops of a leaf, the same machine code for every system.
void multiply(const product& leaf) noexcept;

// Matrices of ones and their product, to be.
class matrices {
 public:
  explicit matrices(unsigned rows);
  product whole() noexcept { return {a_.data(), b_.data(), c_.data(), rows_, rows_}; }
  std::uint64_t right_cells() const noexcept;

 private:
  unsigned rows_;
  std::vector<int> a_;
  std::vector<int> b_;
  std::vector<int> c_;
};

}  // namespace bench
