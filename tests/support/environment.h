// An environment of a test's own: without COPPICE_ variables but those it sets, put back at its end.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice::testing_support {

// One at a time, and while no other thread reads or writes the environment.
class environment_guard {
 public:
  environment_guard() : before_(take()) {}

  environment_guard(std::string_view name, std::string_view value) : environment_guard() {
    set(name, value);
  }

  environment_guard(const environment_guard&) = delete;
  environment_guard& operator=(const environment_guard&) = delete;

  ~environment_guard() {
    take();
    for (const auto& [name, value] : before_) {
      set(name, value);
    }
  }

  void set(std::string_view name, std::string_view value) {
    ::setenv(std::string(name).c_str(), std::string(value).c_str(), 1);
  }

 private:
  using variable = std::pair<std::string, std::string>;

  static std::vector<variable> take() {
    std::vector<variable> taken;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view line(*entry);
      const std::size_t equals = line.find('=');
      if (line.starts_with("COPPICE_") && equals != std::string_view::npos) {
        taken.emplace_back(line.substr(0, equals), line.substr(equals + 1));
      }
    }
    for (const auto& [name, value] : taken) {
      ::unsetenv(name.c_str());
    }
    return taken;
  }

  std::vector<variable> before_;
};

}  // namespace coppice::testing_support
