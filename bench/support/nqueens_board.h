// A chess board with a queen in each of its first rows, for a number of queens known in advance.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace bench {

inline constexpr unsigned fewest_queens = 8;
inline constexpr unsigned most_queens = 15;

// The column of the queen in each row.
template <std::size_t Queens>
using board = std::array<std::int8_t, Queens>;

// Writes down the columns of `row` that no queen above attacks, and returns how many there are.
template <std::size_t Queens>
inline std::size_t free_columns(const board<Queens>& queens, std::size_t row,
                                board<Queens>& columns) noexcept {
  const int rows_above = static_cast<int>(row);
  std::size_t count = 0;
  for (std::int8_t column = 0; column != static_cast<std::int8_t>(Queens); ++column) {
    bool free = true;
    for (int above = 0; above != rows_above; ++above) {
      const std::int8_t queen = queens[static_cast<std::size_t>(above)];
      const int down = rows_above - above;
      if (queen == column || queen == column - down || queen == column + down) {
        free = false;
        break;
      }
    }
    if (free) {
      columns[count++] = column;
    }
  }
  return count;
}

// Calls `solve` with the number of queens as a template argument.
template <class Solve>
std::uint64_t with_queens(unsigned queens, Solve&& solve) {
  std::uint64_t result = 0;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (void)((queens == fewest_queens + I &&
            ((result = solve.template operator()<fewest_queens + I>()), true)) ||
           ...);
  }(std::make_index_sequence<most_queens - fewest_queens + 1>());
  return result;
}

}  // namespace bench
