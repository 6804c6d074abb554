// Each piece of code that a guide shows stands in the test of the guide's name, which runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace guides {
namespace {

const std::filesystem::path root = COPPICE_ROOT;

// Lines without the blanks they begin with, as a piece may stand further to the left.
std::string flush_left(const std::string& text) {
  std::istringstream from(text);
  std::string all;
  for (std::string line; std::getline(from, line);) {
    const std::size_t first = line.find_first_not_of(' ');
    all += first == std::string::npos ? "\n" : line.substr(first) + '\n';
  }
  return all;
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream from(file);
  EXPECT_TRUE(from) << file;
  std::ostringstream text;
  text << from.rdbuf();
  return text.str();
}

std::vector<std::string> pieces_of(const std::string& guide) {
  const std::string begin = "\n```cpp\n";
  std::vector<std::string> pieces;
  for (std::size_t at = guide.find(begin); at != std::string::npos; at = guide.find(begin, at)) {
    at += begin.size();
    const std::size_t end = guide.find("\n```\n", at);
    pieces.push_back(guide.substr(at, end - at) + '\n');
    at = end;
  }
  return pieces;
}

std::set<std::string> names_in(const char* folder, const std::string& ending) {
  std::set<std::string> names;
  for (const auto& each : std::filesystem::directory_iterator(root / folder)) {
    const std::string name = each.path().filename().string();
    if (name.ends_with(ending)) {
      names.insert(name.substr(0, name.size() - ending.size()));
    }
  }
  return names;
}

TEST(Guides, HaveATestEach) {
  std::set<std::string> tested = names_in("tests/guides", "_test.cpp");
  tested.erase("guides");
  EXPECT_EQ(names_in("examples/guides", ".md"), tested);
}

TEST(Guides, ShowWhatTheirTestsRun) {
  for (const std::string& name : names_in("examples/guides", ".md")) {
    const std::string run = flush_left(text_of(root / "tests/guides" / (name + "_test.cpp")));
    const std::vector<std::string> pieces =
        pieces_of(text_of(root / "examples/guides" / (name + ".md")));
    EXPECT_GE(pieces.size(), 3u) << name;
    for (const std::string& piece : pieces) {
      EXPECT_NE(run.find(flush_left(piece)), std::string::npos) << name << ":\n" << piece;
    }
  }
}

// A link of the README leads to each.
TEST(Guides, AreFoundFromTheReadme) {
  const std::string readme = text_of(root / "README.md");
  for (const std::string& name : names_in("examples/guides", ".md")) {
    EXPECT_NE(readme.find("(examples/guides/" + name + ".md)"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace guides
