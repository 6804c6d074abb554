#include "supervision/group_tree.h"

#include <algorithm>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <typeinfo>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

bool is_plain(const exception_group& group) noexcept {
  return typeid(group) == typeid(exception_group);
}

std::string text_of(std::string_view message, std::size_t exceptions) {
  std::string text(message);
  text += message.empty() ? "(" : " (";
  text += std::to_string(exceptions);
  text += exceptions == 1 ? " sub-exception)" : " sub-exceptions)";
  return text;
}

bool same_facts(const error_entry& one, const error_entry& other) noexcept {
  return one.id() == other.id() && one.name() == other.name() &&
         one.site().file == other.site().file && one.site().line == other.site().line &&
         (one.context() == nullptr) == (other.context() == nullptr) &&
         one.suppressed().size() == other.suppressed().size() &&
         one.notes().size() == other.notes().size();
}

// Another failure of which the same is known.
error_entry with_facts_of(const error_entry& known, const std::exception_ptr& error) {
  error_entry made(error);
  if (same_facts(known, made)) {
    return made;
  }
  std::optional<cancel_reason> context;
  if (known.context() != nullptr) {
    context = *known.context();
  }
  made = make_entry(error, known.id(), known.name(), known.site(), std::move(context),
                    {known.suppressed().begin(), known.suppressed().end()},
                    {known.notes().begin(), known.notes().end()});
  if (!same_facts(known, made)) {
    throw std::bad_alloc();
  }
  return made;
}

// A group that is being divided.
struct division {
  const exception_group* group;
  const error_entry* entry;  // That holds the group; null for the root.
  std::size_t next = 0;
  std::vector<error_entry> matching = {};
  std::vector<error_entry> rest = {};

  // An inner group has been divided. One that was not changed stays what it is.
  void add(division inner) {
    if (inner.matching.empty()) {
      rest.push_back(*inner.entry);
    } else if (inner.rest.empty()) {
      matching.push_back(*inner.entry);
    } else {
      const auto part = [&](std::vector<error_entry>& exceptions) {
        return with_facts_of(*inner.entry,
                             as_exception(*derive_from(*inner.group, std::move(exceptions))));
      };
      matching.push_back(part(inner.matching));
      rest.push_back(part(inner.rest));
    }
  }
};

}  // namespace

group_state::group_state(std::string_view message, std::vector<error_entry> from,
                         std::vector<std::string> notes_of_it)
    : message_size(message.size()),
      text(text_of(message, from.size())),
      exceptions(std::move(from)),
      notes(std::move(notes_of_it)) {
  if (exceptions.empty()) {
    throw usage_error(
        "exception_group of no exceptions: a group holds one failure at least; where there is "
        "none, throw nothing");
  }
  for (const error_entry& each : exceptions) {
    if (each.error() == nullptr) {
      throw usage_error("exception_group of an empty error_entry: give each entry an exception");
    }
    const auto* const group = each.get_if<exception_group>();
    const std::size_t more = group != nullptr ? group->leaf_count() : 1;
    leaf_count += std::min(more, std::numeric_limits<std::size_t>::max() - leaf_count);
    nested |= group != nullptr;
  }
}

const error_entry* leaf_walk::next() {
  while (!levels_.empty()) {
    level& here = levels_.back();
    if (here.next == here.state->exceptions.size()) {
      levels_.pop_back();
      continue;
    }
    const error_entry& entry = here.state->exceptions[here.next];
    ++here.next;
    const exception_group* const group =
        here.state->nested ? entry.get_if<exception_group>() : nullptr;
    if (group == nullptr) {
      return &entry;
    }
    descend(*group);
  }
  return nullptr;
}

std::vector<std::size_t> leaf_walk::path() const {
  std::vector<std::size_t> path;
  path.reserve(levels_.size());
  for (const level& each : levels_) {
    path.push_back(each.next - 1);
  }
  return path;
}

group_ptr derive_from(const exception_group& from, std::vector<error_entry> exceptions) {
  if (exceptions.empty()) {
    return nullptr;
  }
  group_ptr part = from.derive(std::move(exceptions));
  if (part == nullptr) {
    throw usage_error("exception_group::derive has returned null: it must make a group");
  }
  if (part->notes().empty() && !from.notes().empty() && part.use_count() == 1) {
    const std::span<const error_entry> made = part->exceptions();
    const std::span<const std::string> notes = from.notes();
    group_access::assign(*part, group_access::make(part->message(), {made.begin(), made.end()},
                                                   {notes.begin(), notes.end()}));
  }
  return part;
}

group_ptr keep_whole(const exception_group& group) {
  return is_plain(group) ? std::make_shared<const exception_group>(group)
                         : derive_from(group, group_access::state(group).exceptions);
}

std::exception_ptr as_exception(const exception_group& group) {
  if (is_plain(group)) {
    return std::make_exception_ptr(group);
  }
  std::exception_ptr thrown;
  try {
    group.rethrow();
  } catch (const exception_group&) {
    thrown = std::current_exception();
  }
  return thrown;
}

group_split divide(const exception_group& root, const std::vector<bool>& matches) {
  const auto matching = static_cast<std::size_t>(std::count(matches.begin(), matches.end(), true));
  if (matching == 0) {
    return {nullptr, keep_whole(root)};
  }
  if (matching == matches.size()) {
    return {keep_whole(root), nullptr};
  }
  std::size_t leaf = 0;
  std::vector<division> levels;  // From the root down.
  levels.push_back({&root, nullptr});
  if (!group_access::state(root).nested) {
    levels.back().matching.reserve(matching);
    levels.back().rest.reserve(matches.size() - matching);
  }
  for (;;) {
    division& here = levels.back();
    const group_state& state = group_access::state(*here.group);
    if (here.next != state.exceptions.size()) {
      const error_entry& entry = state.exceptions[here.next];
      ++here.next;
      if (const auto* const inner = state.nested ? entry.get_if<exception_group>() : nullptr) {
        levels.push_back({inner, &entry});  // `here` is gone.
      } else {
        (matches[leaf] ? here.matching : here.rest).push_back(entry);
        ++leaf;
      }
      continue;
    }
    division done = std::move(here);
    levels.pop_back();
    if (levels.empty()) {
      return {derive_from(root, std::move(done.matching)), derive_from(root, std::move(done.rest))};
    }
    levels.back().add(std::move(done));
  }
}

}  // namespace coppice::inline v0::detail
