// Several failures thrown as one: an immutable tree, and the C++ form of Python's except*.
//
//     catch (const co::exception_group& group) {
//       group.handle<timeout_error>([](const timeout_error& late) { ... })
//           .handle<std::exception>([](const std::exception& e, const error_entry& from) { ... })
//           .rethrow_rest();
//     }
//
// Nothing can be awaited in a catch block. Code that must await next takes the group as a value:
//
//     const auto end = co_await as_result(with_group(body));
//     if (const auto* group = end.entry().template get_if<co::exception_group>()) ...
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/error_tree.h>
#include <coppice/detail/export.h>
#include <coppice/outcome.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

class exception_group;

// What split gives; a null side is empty. Pointers, so that a derived group keeps its type.
using group_ptr = std::shared_ptr<const exception_group>;
struct group_split {
  group_ptr matching;
  group_ptr rest;
};

// A leaf and the way to it: the index at each level.
struct group_leaf {
  error_entry entry;
  std::vector<std::size_t> path;
};

namespace detail {

class group_state;
struct group_access;
struct group_handling;

// Groups are nodes and never leaves: to ask for one would find nothing, silently.
template <class E>
inline constexpr bool can_be_leaf = !std::is_base_of_v<exception_group, E>;

}  // namespace detail

// The chain of handle calls: each leaf goes to the first that matches, each handler sees its leaves
// depth first. Its destructor reports what was not handled, as one group with origin
// suppressed, so nothing is lost by forgetting the end of the chain. Owns what it needs of the
// group; used by one thread at a time.
//
// What a handler throws is collected, with the leaf that it was given as a suppressed failure. But
// if it throws that very leaf (std::rethrow_exception(entry.error())), or the group (throw; in a
// catch block), then the leaf stays unhandled, in its place, and is offered to no handler more.
class [[nodiscard]] group_handler {
 public:
  // What was moved from has no leaves.
  COPPICE_EXPORT group_handler(group_handler&& other) noexcept;
  group_handler& operator=(group_handler&&) = delete;
  COPPICE_EXPORT ~group_handler();

  // fn(const E&) or fn(const E&, const error_entry&), once for each leaf that no earlier handler
  // has got and that catch (const E&) would take. Calls nobody without memory to keep what fn may
  // throw: std::bad_alloc then leaves, and the destructor reports what is still unhandled.
  template <class E, class F>
  group_handler handle(F&& fn) && {
    static_assert(std::is_same_v<E, std::remove_cvref_t<E>>,
                  "coppice: handle<E> takes a type without const and &; fn gets a const E&");
    static_assert(detail::can_be_leaf<E>,
                  "coppice: handle<E> looks at the leaves of a group, and no group is a leaf");
    constexpr bool takes_entry = std::is_invocable_v<F&, const E&, const error_entry&>;
    static_assert(takes_entry || std::is_invocable_v<F&, const E&>,
                  "coppice: a handler takes (const E&) or (const E&, const error_entry&)");
    offer([&fn](const error_entry& leaf) {
      const E* const error = leaf.get_if<E>();
      if (error == nullptr) {
        return false;
      }
      if constexpr (takes_entry) {
        call(fn, *error, leaf);
      } else {
        call(fn, *error);
      }
      return true;
    });
    return std::move(*this);
  }

  // Throws the unhandled leaves, and what handlers threw, as a group; returns if there are none.
  // See rest().
  COPPICE_EXPORT void rethrow_rest() &&;

  // The same as a value, for code that must await next; null if there is nothing. The unhandled
  // leaves are the group that split() would give; if handlers threw, a new exception_group holds
  // that one and behind it, in order, what they threw. If this throws (std::bad_alloc, or what
  // derive() throws) nothing is lost: the destructor reports.
  [[nodiscard]] COPPICE_EXPORT group_ptr rest() &&;

 private:
  friend class exception_group;

  COPPICE_EXPORT explicit group_handler(const exception_group& group);

  template <class F, class... Args>
  static void call(F& fn, const Args&... args) {
    static_assert(!awaitable<std::invoke_result_t<F&, const Args&...>>,
                  "coppice: a handler of leaves is a plain function; what is to be awaited for a "
                  "leaf comes after the chain, for its rest() or for split()");
    static_cast<void>(std::invoke(fn, args...));
  }

  // Shows each unhandled leaf to `handles`, which says whether it was of its type.
  COPPICE_EXPORT void offer(const std::function<bool(const error_entry&)>& handles);

  std::unique_ptr<detail::group_handling> handling_;  // Null: moved from, or at the chain's end.
};

// Immutable tree of failures, in arrival order; inner groups stay nested. What is no group is a
// leaf, of whatever type it was thrown as. Copying counts a reference and throws nothing, every
// operation is iterative, so depth costs no stack. Const members may be called from any thread;
// those that are not noexcept may throw std::bad_alloc, and then have changed nothing. Views stay
// valid while any copy lives.
//
// A derived class overrides derive() and rethrow() to survive split and handle:
//
//     class fetch_errors : public co::exception_group {
//      public:
//       fetch_errors(std::string host, std::vector<co::error_entry> exceptions);
//       co::group_ptr derive(std::vector<co::error_entry> exceptions) const override {
//         return std::make_shared<const fetch_errors>(host_, std::move(exceptions));
//       }
//       [[noreturn]] void rethrow() const override { throw *this; }
//     };
class COPPICE_EXPORT exception_group : public detail::error_tree {
 public:
  // usage_error if there are none, or one of them is an empty entry.
  exception_group(std::string_view message, std::vector<error_entry> exceptions);
  exception_group(const exception_group& other) noexcept;
  exception_group& operator=(const exception_group& other) noexcept;
  ~exception_group() override;

  // "message (N sub-exceptions)", where N counts the direct ones; "(1 sub-exception)" for one.
  const char* what() const noexcept override;
  std::string_view message() const noexcept;
  std::span<const error_entry> exceptions() const noexcept;  // The direct ones.

  // A group that stands in the tree twice counts twice; the largest number also means more.
  std::size_t leaf_count() const noexcept;

  // Depth first. Paths are as long as the leaves lie deep: of very deep trees prefer split or
  // handle, which need none.
  std::vector<group_leaf> leaves() const;

  std::optional<error_entry> single() const noexcept;  // The only leaf, if there is one only.

  // The leaves that catch (const E&) would take for one of E, and the others. The nesting is kept,
  // with what is known of inner groups: their entries' tasks, sites and suppressed failures, their
  // messages and notes. Inner groups that end up on one side as a whole are not made anew.
  template <class... E>
  group_split split() const {
    static_assert(sizeof...(E) != 0, "coppice: split<E...> takes at least one type");
    static_assert((detail::can_be_leaf<E> && ...),
                  "coppice: split<E...> looks at the leaves of a group, and no group is a leaf");
    return split([](const error_entry& leaf) { return (leaf.get_if<E>() || ...); });
  }

  // The same for the leaves that satisfy the predicate, which is called once for each, depth first;
  // what it throws leaves. usage_error if it is empty.
  group_split split(const std::function<bool(const error_entry&)>& matches) const;

  // split().matching.
  template <class... E>
  group_ptr subgroup() const {
    return split<E...>().matching;
  }
  group_ptr subgroup(const std::function<bool(const error_entry&)>& matches) const;

  // except*: fn(const E&) or fn(const E&, const error_entry&) once for each matching leaf. What fn
  // throws is collected and leaves with the rest; see group_handler.
  template <class E, class F>
  [[nodiscard]] group_handler handle(F&& fn) const {
    return group_handler(*this).handle<E>(std::forward<F>(fn));
  }

  // A copy with the note added; of a derived group, of its part that is an exception_group.
  exception_group with_note(std::string_view note) const;
  std::span<const std::string> notes() const noexcept;

  // The tree as text, its first line what() and its last character a newline. Of leaves beyond the
  // first `max_leaves`, and of levels too deep to be read, it says how many there are.
  std::string format(std::size_t max_leaves = 50) const;

  // A group of the same kind with other exceptions: never null. split and handle call it for every
  // group that they divide, and add the notes unless what it returns has its own or is shared.
  virtual group_ptr derive(std::vector<error_entry> exceptions) const;

  // Throws a copy: a derived class says `throw *this;`, or is thrown as an exception_group.
  [[noreturn]] virtual void rethrow() const;

 private:
  friend struct detail::group_access;

  explicit exception_group(const detail::group_state* counted) noexcept : state_(counted) {}

  std::span<const error_entry> branches() const noexcept final { return exceptions(); }
  std::span<const std::string> tree_notes() const noexcept final { return notes(); }

  // One reference is ours. Mutable, because the notes are added to a group that derive() has just
  // made, const as it is, and nobody else has seen.
  mutable const detail::group_state* state_;
};

}  // namespace coppice::inline v0
