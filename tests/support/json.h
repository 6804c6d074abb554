// Is a text JSON? A reader of RFC 8259 that keeps nothing; bytes must be UTF-8.
#pragma once

#include <cctype>
#include <cstddef>
#include <string_view>

namespace coppice::testing_support {

class json_reader {
 public:
  explicit json_reader(std::string_view text) : rest_(text) {}

  bool whole() { return value() && (space(), rest_.empty()); }

 private:
  void space() {
    while (!rest_.empty() && std::string_view(" \t\n\r").find(rest_[0]) != std::string_view::npos) {
      rest_.remove_prefix(1);
    }
  }

  bool take(char wanted) {
    space();
    if (rest_.empty() || rest_[0] != wanted) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  bool word(std::string_view wanted) {
    if (!rest_.starts_with(wanted)) {
      return false;
    }
    rest_.remove_prefix(wanted.size());
    return true;
  }

  bool value() {
    space();
    if (rest_.empty()) {
      return false;
    }
    switch (rest_[0]) {
      case '{':
        return list('{', '}', true);
      case '[':
        return list('[', ']', false);
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  bool list(char open, char close, bool named) {
    take(open);
    if (take(close)) {
      return true;
    }
    do {
      space();
      if ((named && !(string() && take(':'))) || !value()) {
        return false;
      }
    } while (take(','));
    return take(close);
  }

  bool string() {
    if (!word("\"")) {
      return false;
    }
    while (!rest_.empty() && rest_[0] != '"') {
      if (static_cast<unsigned char>(rest_[0]) < 0x20 || !character()) {
        return false;
      }
    }
    return word("\"");
  }

  bool character() {
    if (rest_[0] == '\\') {
      return escape();
    }
    const auto first = static_cast<unsigned char>(rest_[0]);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc2 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf5 ? 4
                                              : 0;
    if (length == 0 || rest_.size() < length) {
      return false;
    }
    for (std::size_t i = 1; i != length; ++i) {
      if ((static_cast<unsigned char>(rest_[i]) & 0xc0) != 0x80) {
        return false;
      }
    }
    rest_.remove_prefix(length);
    return true;
  }

  bool escape() {
    rest_.remove_prefix(1);
    if (rest_.empty()) {
      return false;
    }
    const char kind = rest_[0];
    rest_.remove_prefix(1);
    if (kind != 'u') {
      return std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos;
    }
    for (int i = 0; i != 4; ++i) {
      if (rest_.empty() || std::isxdigit(static_cast<unsigned char>(rest_[0])) == 0) {
        return false;
      }
      rest_.remove_prefix(1);
    }
    return true;
  }

  bool digits() {
    std::size_t n = 0;
    while (n != rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[n])) != 0) {
      ++n;
    }
    rest_.remove_prefix(n);
    return n != 0;
  }

  bool number() {
    word("-");
    if (!word("0") && !digits()) {
      return false;
    }
    if (word(".") && !digits()) {
      return false;
    }
    if (word("e") || word("E")) {
      word("+") || word("-");
      return digits();
    }
    return true;
  }

  std::string_view rest_;
};

inline bool is_json(std::string_view text) {
  return json_reader(text).whole();
}

}  // namespace coppice::testing_support
