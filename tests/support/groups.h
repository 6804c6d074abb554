// Exception groups and their leaves, made and told in a few words.
#pragma once

#include <coppice/exception_group.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice::testing_support {

template <class E>
error_entry entry_of(E thrown) {
  return error_entry(std::make_exception_ptr(std::move(thrown)));
}

inline error_entry group_entry(std::string_view message, std::vector<error_entry> exceptions) {
  return entry_of(exception_group(message, std::move(exceptions)));
}

// "outer[a, inner[b]]": the messages of groups, and the texts of leaves, or their types' names.
inline std::string outline(const exception_group& group) {
  std::string text(group.message());
  const char* before = "[";
  for (const error_entry& each : group.exceptions()) {
    const auto* const inner = each.get_if<exception_group>();
    text += before + (inner != nullptr ? outline(*inner) : each.message());
    before = ", ";
  }
  return text + "]";
}

inline std::string outline(const group_ptr& group) {
  return group != nullptr ? outline(*group) : "nothing";
}

}  // namespace coppice::testing_support
