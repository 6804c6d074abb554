// What is promised about the source itself, kept by a test so that no reviewer has to.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/source_files.h"

namespace coppice::testing_support {
namespace {

namespace fs = std::filesystem;

const std::vector<source_file>& rooms() {
  static const std::vector<source_file> files = files_under({"executor", "supervision"});
  return files;
}

const std::vector<source_file>& tree() {
  static const std::vector<source_file> files =
      files_under({"executor", "supervision", "tests", "bench", "examples"});
  return files;
}

// Calls `found` with the file and each match of `pattern` in its code.
template <class Found>
void search(const source_file& file, const std::regex& pattern, Found found) {
  for (std::sregex_iterator it(file.code.begin(), file.code.end(), pattern), end; it != end; ++it) {
    found(*it);
  }
}

void expect_none(const source_file& file, const std::regex& pattern, const std::string& why) {
  search(file, pattern, [&](const std::smatch& match) {
    ADD_FAILURE() << file.at_offset(match.position()) << "\n  " << why;
  });
}

// ---- Memory orders ------------------------------------------------------------------------------

// Every acquire, release and seq_cst names at the end of its line the ordering it belongs to, as
// declared under "// Orderings" in the head of the file that owns the word. The two ends of an
// ordering may stand in two files, so a name is unique over the tree; and it must have both ends.
TEST(Tidy, OrderingsAreNamedAndPaired) {
  const std::regex heading(R"(^// (\w+)$)");
  const std::regex declaration(R"(^//   ([A-Z]+\d+)  )");
  const std::regex strong(R"(memory_order(?:_|::)(acquire|release|acq_rel|seq_cst))");
  const std::regex label(R"(\b[A-Z]+\d+\b)");
  struct ends {
    std::string declared = {};
    int uses = 0;
    bool publishes = false;
    bool observes = false;
    bool counts = false;  // By an acq_rel operation, which is both ends in one line.
  };
  std::map<std::string, ends> orderings;
  for (const source_file& file : rooms()) {
    bool declaring = false;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      std::smatch match;
      if (!file.lines[i].starts_with("//")) {
        declaring = false;
      } else if (std::regex_match(file.lines[i], match, heading)) {
        declaring = match[1] == "Orderings";
      } else if (declaring && std::regex_search(file.lines[i], match, declaration)) {
        EXPECT_TRUE(orderings.emplace(match[1], ends{file.at(i)}).second)
            << file.at(i) << "\n  is declared twice: " << orderings[match[1]].declared;
      }
    }
  }
  for (const source_file& file : rooms()) {
    const std::vector<std::string> code = lines_of(file.code);
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      std::set<std::string> orders;
      for (std::sregex_iterator it(code[i].begin(), code[i].end(), strong), end; it != end; ++it) {
        orders.insert((*it)[1]);
      }
      if (orders.empty()) {
        continue;
      }
      const std::size_t comment = line.find("//");
      const std::string names = comment == std::string::npos ? "" : line.substr(comment);
      std::sregex_iterator it(names.begin(), names.end(), label);
      EXPECT_TRUE(it != std::sregex_iterator()) << file.at(i) << "\n  names no ordering";
      for (; it != std::sregex_iterator(); ++it) {
        const auto named = orderings.find(it->str());
        if (named == orderings.end()) {
          ADD_FAILURE() << file.at(i) << "\n  names an ordering that is declared nowhere";
          continue;
        }
        ends& both = named->second;
        ++both.uses;
        both.publishes |= orders != std::set<std::string>{"acquire"};
        both.observes |= orders != std::set<std::string>{"release"};
        both.counts |= orders.contains("acq_rel");
      }
    }
  }
  for (const auto& [name, both] : orderings) {
    EXPECT_TRUE(both.publishes && both.observes && (both.uses >= 2 || both.counts))
        << both.declared << "\n  has not both its ends";
  }
}

// Where the argument list that opens at `from` ends.
std::size_t past_arguments(const std::string& code, std::size_t from) {
  int depth = 0;
  for (std::size_t i = from; i < code.size(); ++i) {
    depth += code[i] == '(' ? 1 : code[i] == ')' ? -1 : 0;
    if (depth == 0) {
      return i;
    }
  }
  return code.size();
}

// Every operation on an atomic says its order, be it passed on in a parameter called order.
TEST(Tidy, OperationsOnAtomicsNameTheirOrder) {
  const std::regex operation(
      R"((?:\.|->)(?:load|store|exchange|compare_exchange_(?:weak|strong)|fetch_\w+|)"
      R"(test_and_set)\s*\()");
  const std::regex order(R"(\bmemory_order|\w*order\b)");
  for (const source_file& file : rooms()) {
    search(file, operation, [&](const std::smatch& match) {
      const auto open = static_cast<std::size_t>(match.position() + match.length() - 1);
      const std::string arguments = file.code.substr(open, past_arguments(file.code, open) - open);
      EXPECT_TRUE(std::regex_search(arguments, order))
          << file.at_offset(match.position()) << "\n  has an implicit memory order";
    });
  }
}

// Nor is there an operation that cannot say it: x = 1, ++x, x += 1, or x where its value is meant.
// Atomics are known by the names they are declared with in a header or source file, and looked for
// in the two files of that stem.
TEST(Tidy, AtomicsAreNotUsedAsPlainVariables) {
  const std::regex declaration(R"(\batomic<[^;{}()\[\]]*>\s+(\w+)\s*[;{=\[])");
  std::map<std::pair<std::string, fs::path>, std::set<std::string>> names;
  const auto key = [](const source_file& file) { return std::pair(file.room(), file.path.stem()); };
  for (const source_file& file : rooms()) {
    search(file, declaration, [&](const std::smatch& match) { names[key(file)].insert(match[1]); });
  }
  for (const source_file& file : rooms()) {
    for (const std::string& name : names[key(file)]) {
      const std::string assigned = "\\b" + name + R"((?:\[[^\]]*\])?\s*(?:\+\+|--|[-+|&^]?=(?!=)))";
      const std::string stepped = R"((?:\+\+|--)\s*(?:\w+(?:\.|->))*)" + name + "\\b";
      const std::string read =
          R"((?:\breturn|\b(?:if|while)\s*\(|[^=!<>]=|!|&&|\|\|)\s*(?:\w+(?:\.|->))*)" + name +
          R"(\s*(?:[;)]|&&|\|\|))";
      expect_none(file, std::regex(assigned + "|" + stepped + "|" + read),
                  "uses an atomic as if it were a plain variable");
    }
  }
}

// ThreadSanitizer does not see fences and clang makes mfence of them; nobody implements consume.
TEST(Tidy, NoFencesAndNoConsume) {
  const std::regex forbidden(R"(atomic_(thread|signal)_fence|memory_order(_|::)consume)");
  for (const source_file& file : rooms()) {
    expect_none(file, forbidden, "is not for this tree");
  }
}

// So that an explorer of interleavings can put its own type in the place of all of them.
TEST(Tidy, AtomicsComeFromOneHeader) {
  const std::set<fs::path> own_reasons = {
      "executor/include/coppice/detail/atomic.h",  // It is that header.
  };
  for (const source_file& file : rooms()) {
    if (!own_reasons.contains(file.path)) {
      expect_none(file, std::regex(R"(std::atomic(<|_flag|_ref|_bool|_u?int|_size_t))"),
                  "is detail::atomic here");
    }
  }
}

// ---- Layering -----------------------------------------------------------------------------------

// Calls `found` with what each #include line of the file includes, and the line's index.
template <class Found>
void each_include(const source_file& file, Found found) {
  const std::regex include(R"(^\s*#\s*include\s*([<"].*[>"]))");
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    std::smatch match;
    if (std::regex_search(file.lines[i], match, include)) {
      found(match[1].str(), i);
    }
  }
}

// What `included` is in this tree: "executor/include", "supervision", ...; empty if it is not ours.
std::string place_of(const std::string& included) {
  const std::string name = included.substr(1, included.size() - 2);
  for (const char* place : {"executor/include", "supervision/include"}) {
    if (fs::exists(root / place / name)) {
      return place;
    }
  }
  return fs::exists(root / name) ? fs::path(name).begin()->string() : "";
}

// One arrow: tests, benches and examples use supervision, which uses the executor's public headers,
// and nothing looks the other way.
TEST(Tidy, RoomsLookOneWay) {
  const std::map<std::string, std::set<std::string>> may_see = {
      {"executor", {"", "executor/include", "executor"}},
      {"supervision", {"", "executor/include", "supervision/include", "supervision"}},
  };
  for (const source_file& file : rooms()) {
    each_include(file, [&](const std::string& included, std::size_t line) {
      EXPECT_TRUE(may_see.at(file.room()).contains(place_of(included))) << file.at(line);
      EXPECT_TRUE(included.find("..") == std::string::npos) << file.at(line);
    });
  }
}

// A user's Abseil may be another than ours, and a user without tbb's headers has them not: public
// headers include the standard library's and one another, and no private one. The exceptions are
// those whose purpose is to meet that other library. (coppice_model/ has the explorer's atomics.)
TEST(Tidy, PublicHeadersIncludeTheStandardLibraryOnly) {
  const std::set<std::string> meeting = {"tbb.h",          "tbb_loop.h", "absl.h",
                                         "absl_status.h",  "asio.h",     "asio_operation.h",
                                         "asio_peer.h",    "senders.h",  "sender_operation.h",
                                         "testing_gtest.h"};
  const std::regex standard_or_ours(
      R"(<(coppice(_model)?/[\w/]+\.h|[a-z_0-9]+(\.h)?|sys/\w+\.h)>)");
  for (const source_file& file : rooms()) {
    if (file.is_public() && !meeting.contains(file.path.filename())) {
      each_include(file, [&](const std::string& included, std::size_t line) {
        EXPECT_TRUE(std::regex_match(included, standard_or_ours)) << file.at(line);
      });
    }
  }
}

// Users' names are not ours to take: of macros a public header has the version's and no other.
TEST(Tidy, PublicHeadersDefineNoMacros) {
  const std::regex macro(R"(#\s*define\s+(?!COPPICE_VERSION_)\w+)");
  for (const source_file& file : rooms()) {
    if (file.is_public() && file.path.parent_path().filename() != "detail") {
      expect_none(file, macro, "is a macro in a public header");
    }
  }
}

// ---- The tree -----------------------------------------------------------------------------------

TEST(Tidy, EveryHeaderHasItsTest) {
  for (const source_file& file : rooms()) {
    if (file.is_header()) {
      const fs::path test =
          fs::path("tests") / file.room() / (file.path.stem().string() + "_test.cpp");
      EXPECT_TRUE(fs::exists(root / test)) << file.path << " has no " << test;
    }
  }
}

// In its first line; the source file of a header is what the header is.
TEST(Tidy, EveryFileOfARoomSaysWhatItIs) {
  std::set<std::string> stems;
  for (const source_file& file : rooms()) {
    if (file.is_header()) {
      stems.insert(file.room() + "/" + file.path.stem().string());
    }
  }
  for (const source_file& file : rooms()) {
    if (file.is_header() || !stems.contains(file.room() + "/" + file.path.stem().string())) {
      EXPECT_TRUE(file.text.starts_with("// ")) << file.path;
    }
  }
}

TEST(Tidy, FilesStayReadableInOneSitting) {
  const std::set<fs::path> deserve_more = {"executor/settings_table.cpp",          // One table.
                                           "tests/executor/standstill_test.cpp",   // One protocol.
                                           "tests/executor/task_handle_test.cpp",  // One class.
                                           "tests/supervision/testing_test.cpp"};  // One header.
  for (const source_file& file : tree()) {
    EXPECT_TRUE(file.lines.size() <= 400 || deserve_more.contains(file.path))
        << file.path << " has " << file.lines.size() << " lines";
  }
}

// Words are parted here, or this file would be the first to be found.
TEST(Tidy, NothingIsUnfinished) {
  const std::regex words(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X|HA"
      "CK|place"
      "holder|st"
      "ub(bed)?|"
      "(not |un)imple"
      "mented)\\b|DIS"
      "ABLED_|#if "
      "0\\b");
  for (const source_file& file : tree()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_FALSE(std::regex_search(file.lines[i], words)) << file.at(i);
    }
  }
}

// A test that sleeps is slow where it works and fails where the machine is busy: a latch, or the
// virtual clock, waits for what is meant. co_await sleep_for(...) is such a clock's.
TEST(Tidy, TestsDoNotSleep) {
  const std::regex real_sleep(R"(\b(this_thread::sleep_\w+|(u|nano)?sleep)\s*\()");
  for (const source_file& file : files_under({"tests"})) {
    expect_none(file, real_sleep, "sleeps");
  }
}

TEST(Tidy, TheReadmeBeginsWithTheHelloExample) {
  const std::string readme = text_of("README.md");
  const std::string fence = "```cpp\n";
  const std::size_t begin = readme.find(fence);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t program = begin + fence.size();
  EXPECT_EQ(readme.substr(program, readme.find("```", program) - program),
            text_of("examples/hello.cpp"));
}

TEST(Tidy, TheVersionIsTheSameEverywhere) {
  const std::string header = text_of("executor/include/coppice/version.h");
  std::string version;
  for (const char* part : {"MAJOR", "MINOR", "PATCH"}) {
    std::smatch match;
    ASSERT_TRUE(std::regex_search(
        header, match, std::regex("#define COPPICE_VERSION_" + std::string(part) + R"( (\d+))")));
    version += (version.empty() ? "" : ".") + match[1].str();
  }
  EXPECT_NE(text_of("CMakeLists.txt").find("VERSION " + version + "\n"), std::string::npos)
      << "The header says " << version;
}

}  // namespace
}  // namespace coppice::testing_support
