// The first few of many hits, in a list of words: who has found enough cancels the search. What was misspelt?
//
//   word_search [WORD [HITS [FILE]]]
//
// Debian's list is that of the package wamerican. The words go to standard error, since others may be found first next time.
#include <coppice/coppice.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <mutex>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace co = coppice;

constexpr std::size_t most_edits = 3;
constexpr std::size_t words_in_a_task = 250;

// How many letters have to be left out, put in or changed: by the distances of all beginnings (Levenshtein's).
std::size_t edits_between(std::string_view one, std::string_view other) {
  std::vector<std::size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i != one.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j != other.size(); ++j) {
      const std::size_t changed = diagonal + (one[i] == other[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// So many are enough.
class hits {
 public:
  explicit hits(std::size_t enough) : enough_(enough) {}

  // True for the last that is wanted.
  bool add(std::string_view word) {
    const std::lock_guard lock(mutex_);
    if (found_.size() == enough_) {
      return false;
    }
    found_.emplace_back(word);
    return found_.size() == enough_;
  }

  std::vector<std::string> sorted() const {
    std::vector<std::string> words = found_;
    std::sort(words.begin(), words.end());
    return words;
  }

 private:
  const std::size_t enough_;
  std::mutex mutex_;
  std::vector<std::string> found_;
};

struct search {
  std::string wanted;
  hits found;

  // Looks after each word whether it is to stop: that is one comparison, unless somebody has just cancelled something.
  co::task<> look_through(std::span<const std::string> words, co::task_group& all) {
    for (const std::string& word : words) {
      if (edits_between(word, wanted) <= most_edits && found.add(word)) {
        all.cancel("enough was found");
      }
      co_await co::checkpoint();
    }
  }

  // Gives how many of its tasks were cancelled.
  co::task<std::size_t> run(std::span<const std::string> words) {
    std::vector<co::task_handle<>> tasks;
    const auto body = [&](co::task_group& all) -> co::task<> {
      for (std::size_t first = 0; first < words.size(); first += words_in_a_task) {
        const std::size_t count = std::min(words_in_a_task, words.size() - first);
        tasks.push_back(all.spawn(look_through(words.subspan(first, count), all)));
      }
      co_return;
    };
    co_await co::with_group(body);
    co_return static_cast<std::size_t>(std::ranges::count(
        tasks, co::task_status::cancelled, [](const auto& each) { return each.status(); }));
  }
};

std::vector<std::string> words_of(const std::string& file) {
  std::ifstream from(file);
  if (!from) {
    throw std::runtime_error("cannot read " + file + " (Debian's package wamerican has a list)");
  }
  std::vector<std::string> words;
  for (std::string word; std::getline(from, word);) {
    words.push_back(word);
  }
  return words;
}

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0) {
    throw std::runtime_error("'" + std::string(text) + "' is no number of hits: one or more");
  }
  return value;
}

int main(int argc, char** argv) {
  const std::vector<std::string> given(argv + 1, argv + argc);
  if (given.size() > 3) {
    std::cerr << "usage: word_search [WORD [HITS [FILE]]]\n";
    return 2;
  }
  try {
    search one{given.empty() ? "coppice" : given[0], hits(given.size() < 2 ? 5 : number(given[1]))};
    const std::vector<std::string> words =
        words_of(given.size() < 3 ? "/usr/share/dict/words" : given[2]);
    co::runtime workers;
    const std::size_t cancelled = workers.block_on(one.run(words));
    const std::vector<std::string> found = one.found.sorted();
    for (const std::string& word : found) {
      std::cerr << word << '\n';
    }
    std::cout << found.size() << " words that are like " << one.wanted << '\n'
              << (cancelled == 0 ? "all words were looked at\n" : "the rest was not looked at\n");
    return 0;
  } catch (const std::runtime_error& error) {
    std::cerr << "word_search: " << error.what() << '\n';
    return 2;
  }
}
