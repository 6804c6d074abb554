// The files of the source tree as text, for tests of what is promised about them.
//
// COPPICE_ROOT, a macro, names the root of the tree.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::testing_support {

inline const std::filesystem::path root = COPPICE_ROOT;

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(root / path);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

// The same text with blanks in place of comments and of what stands in quotes, so that what is left
// is code, and every character is where it was.
inline std::string code_of(const std::string& text) {
  std::string code = text;
  std::size_t i = 0;
  const auto blank_past = [&](std::string_view closing, std::size_t from) {
    const std::size_t found = text.find(closing, from);
    const std::size_t end = found == std::string::npos ? text.size() : found + closing.size();
    for (; i < end; ++i) {
      code[i] = text[i] == '\n' ? '\n' : ' ';
    }
  };
  while (i < text.size()) {
    const std::string_view rest = std::string_view(text).substr(i);
    const char quote = rest[0];
    if (rest.starts_with("//")) {
      blank_past("\n", i);
    } else if (rest.starts_with("/*")) {
      blank_past("*/", i + 2);
    } else if (rest.starts_with("R\"")) {
      const std::string_view delimiter = rest.substr(2, rest.find('(') - 2);
      blank_past(")" + std::string(delimiter) + "\"", i);
    } else if (quote == '"' ||
               // Between digits it parts them: 1'000'000.
               (quote == '\'' && std::isalnum(static_cast<unsigned char>(text[i - 1])) == 0)) {
      std::size_t end = i + 1;
      while (end < text.size() && text[end] != quote) {
        end += text[end] == '\\' ? 2 : 1;
      }
      blank_past(rest.substr(0, 1), end);
    } else {
      ++i;
    }
  }
  return code;
}

struct source_file {
  std::filesystem::path path;  // Relative to the root.
  std::string text;
  std::vector<std::string> lines = lines_of(text);
  std::string code = code_of(text);

  bool is_header() const { return path.extension() == ".h"; }
  std::string room() const { return path.begin()->string(); }
  // What users can include.
  bool is_public() const { return path.string().find("/include/coppice/") != std::string::npos; }

  std::string at(std::size_t line) const {
    return path.string() + ":" + std::to_string(line + 1) + ": " + lines[line];
  }
  std::string at_offset(std::ptrdiff_t offset) const {
    return at(static_cast<std::size_t>(std::count(text.begin(), text.begin() + offset, '\n')));
  }
};

inline std::vector<source_file> files_under(std::initializer_list<const char*> folders) {
  std::vector<source_file> files;
  for (const char* folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() == ".h" || entry.path().extension() == ".cpp") {
        const std::filesystem::path path = std::filesystem::relative(entry.path(), root);
        files.push_back({path, text_of(path)});
      }
    }
  }
  return files;
}

}  // namespace coppice::testing_support
