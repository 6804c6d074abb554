// What select() is made of: several waits that share one suspension, its slot and its ticket.
//
// A branch stands where its operation would: in the line of a channel, say, with the ticket that all have in common.
// Whoever serves one claims the ticket, so no second is served. A branch that could be done while the others stand in
// their lines already must not take its turn and theirs: it says so, all leave their lines, and unless one has been
// served by then they begin anew, from the left. So a branch has effect only if it was served, or alone with its
// channel.
//
// A performed operation (awaiter.h) cannot just leave: it is asked to, and select() goes on when it has.
#pragma once

#include <coppice/awaiter.h>
#include <coppice/detail/export.h>
#include <coppice/detail/performing.h>
#include <coppice/detail/wait.h>
#include <coppice/sleep.h>

#include <concepts>
#include <exception>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

[[noreturn]] COPPICE_EXPORT void throw_not_selectable();
COPPICE_EXPORT void report_of_a_loser(const std::exception_ptr& failure) noexcept;

// A wait for something that gives what it has to whoever stands first.
template <class Source>
class wait_branch {
 public:
  using value_type = typename Source::value_type;
  static constexpr bool is_performed = false;

  template <class From>
  explicit wait_branch(wait_operation<From>&& from) : source_(std::move(from.waited_for())) {}

  // Takes effect now if it can.
  bool ready(worker_core&) { return source_.ready(); }

  // Begins to wait. False: it could take effect now, and has not begun.
  bool enlist(const ticket& wait, worker_core& here) {
    if constexpr (requires { source_.enlist(wait, here); }) {
      waits_ = source_.enlist(wait, here);
    } else {
      source_.arm(wait, here);
      waits_ = true;
    }
    return waits_;
  }

  void leave() noexcept {
    if (std::exchange(waits_, false)) {
      source_.disarm();
    }
  }

  // When it has left: did it take effect?
  bool served() const noexcept { return source_.served(); }
  time_point due() const noexcept { return time_point::max(); }
  value_type result() { return source_.result(); }

 private:
  Source source_;
  bool waits_ = false;
};

// The timers' own list keeps the ticket, by value. When one of several has fired it was the earliest.
class time_branch {
 public:
  using value_type = void;
  static constexpr bool is_performed = false;

  explicit time_branch(time_point due) noexcept : due_(due) {}

  bool ready(worker_core& here) const noexcept { return due_ <= here.time_now(); }
  bool enlist(const ticket& wait, worker_core& here) {
    if (!waits_) {
      here.add_timer(due_, wait);
      waits_ = true;
    }
    return true;
  }
  void leave() const noexcept {}
  bool served() const noexcept { return false; }
  time_point due() const noexcept { return due_; }
  void result() const noexcept {}

 private:
  time_point due_;
  bool waits_ = false;
};

// `Op`: as perform_operation has it.
template <class Op>
class performed_branch : public performed_part {
 public:
  using value_type = typename std::remove_cvref_t<Op>::value_type;
  static constexpr bool is_performed = true;

  performed_branch(perform_operation<Op>&& from, went_on* then)
      : performed_part(then, how_to_cancel()), op_(from.operation()), site_(from.site()) {}
  performed_branch(performed_branch&& other) noexcept(std::is_reference_v<Op> ||
                                                      std::is_nothrow_move_constructible_v<Op>)
      : performed_part(std::move(other)),
        owner(other.owner),
        op_(static_cast<Op&&>(other.op_)),
        site_(other.site_) {}
  ~performed_branch() = default;

  static bool ready(worker_core&) noexcept { return false; }

  // What start() throws is its result, whatever the completions do that it gave away. Throws std::bad_alloc, and has then
  // not begun.
  void start(const ticket& wait, cancel_node* scope, worker_core& here) {
    auto* const made = new typed_completion_state<value_type>(*this, wait, site_);
    begin(*made, scope, here);
    try {
      op_.start(completion_access::make(*made));
    } catch (...) {
      failure_ = std::current_exception();
      if (made->begin_call() != completion_state::call::late) {
        made->end_failed(failure_);
      }
    }
  }

  void leave() const noexcept {}
  bool served() const noexcept {
    return begun() && state().has_ended() && (failure_ != nullptr || !state().stopped());
  }
  time_point due() const noexcept { return time_point::max(); }
  value_type result() {
    if (failure_ != nullptr) {
      std::rethrow_exception(failure_);
    }
    return static_cast<typed_completion_state<value_type>&>(state()).take();
  }

  void* owner = nullptr;  // The select() whose branch it is, once that waits.

 private:
  static constexpr canceller* how_to_cancel() noexcept {
    if constexpr (requires(std::remove_reference_t<Op>& op) { op.cancel(); }) {
      return
          [](performed_part& self) noexcept { static_cast<performed_branch&>(self).op_.cancel(); };
    } else {
      return nullptr;
    }
  }

  Op op_;
  const source_site site_;
  std::exception_ptr failure_;  // Of start().
};

// An operation that is no single wait: it could not leave without effect.
template <class A>
class no_branch {
 public:
  using value_type = awaited_t<A>;
  static constexpr bool is_performed = false;

  [[noreturn]] explicit no_branch(const A& /*operation*/) { throw_not_selectable(); }

  static bool ready(worker_core&) noexcept { return false; }
  static bool enlist(const ticket&, worker_core&) noexcept { return true; }
  static void leave() noexcept {}
  static bool served() noexcept { return false; }
  static time_point due() noexcept { return time_point::max(); }
  [[noreturn]] static value_type result() { throw_not_selectable(); }
};

template <class Source>
concept tells_whether_served = requires(const Source& source) {
  { source.served() } -> std::same_as<bool>;
};

template <tells_whether_served Source>
wait_branch<Source> branch_of_wait(wait_operation<Source>&& from) {
  return wait_branch<Source>(std::move(from));
}

// One that cannot tell has something else stand for it here.
template <class Source>
  requires tells_whether_served<typename Source::part_of_select>
wait_branch<typename Source::part_of_select> branch_of_wait(wait_operation<Source>&& from) {
  return wait_branch<typename Source::part_of_select>(std::move(from));
}

template <class Op>
performed_branch<Op> branch_of_performed(perform_operation<Op>&& from,
                                         performed_part::went_on* then) {
  return performed_branch<Op>(std::move(from), then);
}

// `then`: what a performed branch does when it has ended.
template <class A>
auto branch_of(A&& from, performed_part::went_on* then) {
  if constexpr (requires { branch_of_wait(std::forward<A>(from)); }) {
    return branch_of_wait(std::forward<A>(from));
  } else if constexpr (std::same_as<A, sleep_operation>) {
    return time_branch(from.due());
  } else if constexpr (std::same_as<A, yield_operation>) {
    return time_branch(time_point::min());
  } else if constexpr (requires { branch_of_performed(std::forward<A>(from), then); }) {
    return branch_of_performed(std::forward<A>(from), then);
  } else {
    return no_branch<A>(from);
  }
}

template <class A>
using branch_t = decltype(branch_of(std::declval<A>(), nullptr));

}  // namespace coppice::inline v0::detail
