#include <coppice/exception_group.h>

#include "supervision/group_tree.h"

#include <coppice/detail/error_tree.h>

#include <ios>
#include <sstream>
#include <utility>

namespace coppice::inline v0 {

exception_group::exception_group(std::string_view message, std::vector<error_entry> exceptions)
    : state_(new detail::group_state(message, std::move(exceptions), {})) {}

exception_group::exception_group(const exception_group& other) noexcept
    : detail::error_tree(other), state_(other.state_) {
  state_->references.add();
}

exception_group& exception_group::operator=(const exception_group& other) noexcept {
  if (this != &other) {
    detail::group_access::assign(*this, other);
  }
  return *this;
}

exception_group::~exception_group() {
  if (state_->references.drop()) {
    detail::reclaim(const_cast<detail::group_state*>(state_));
  }
}

const char* exception_group::what() const noexcept {
  return state_->text.c_str();
}

std::string_view exception_group::message() const noexcept {
  return std::string_view(state_->text).substr(0, state_->message_size);
}

std::span<const error_entry> exception_group::exceptions() const noexcept {
  return state_->exceptions;
}

std::span<const std::string> exception_group::notes() const noexcept {
  return state_->notes;
}

std::size_t exception_group::leaf_count() const noexcept {
  return state_->leaf_count;
}

std::vector<group_leaf> exception_group::leaves() const {
  std::vector<group_leaf> leaves;
  detail::leaf_walk walk(*this);
  while (const error_entry* const entry = walk.next()) {
    leaves.push_back({*entry, walk.path()});
  }
  return leaves;
}

std::optional<error_entry> exception_group::single() const noexcept {
  if (leaf_count() != 1) {
    return std::nullopt;
  }
  // No group is empty: with one leaf below it, each has one exception.
  const error_entry* only = &exceptions().front();
  while (const auto* const group = only->get_if<exception_group>()) {
    only = &group->exceptions().front();
  }
  return *only;
}

group_split exception_group::split(const std::function<bool(const error_entry&)>& matches) const {
  if (!matches) {
    throw usage_error("exception_group::split by an empty function");
  }
  std::vector<bool> found;
  detail::leaf_walk walk(*this);
  while (const error_entry* const entry = walk.next()) {
    found.push_back(matches(*entry));
  }
  return detail::divide(*this, found);
}

group_ptr exception_group::subgroup(const std::function<bool(const error_entry&)>& matches) const {
  return split(matches).matching;
}

exception_group exception_group::with_note(std::string_view note) const {
  std::vector<std::string> notes = state_->notes;
  notes.emplace_back(note);
  return detail::group_access::make(message(), state_->exceptions, std::move(notes));
}

std::string exception_group::format(std::size_t max_leaves) const {
  std::ostringstream out;
  out.exceptions(std::ios::badbit);  // Memory that fails inside the stream must not cut the text.
  detail::print_entry(out, error_entry(detail::as_exception(*this)), 0, max_leaves);
  return std::move(out).str();
}

group_ptr exception_group::derive(std::vector<error_entry> exceptions) const {
  return std::make_shared<const exception_group>(
      detail::group_access::make(message(), std::move(exceptions), state_->notes));
}

void exception_group::rethrow() const {
  throw exception_group(*this);
}

}  // namespace coppice::inline v0
