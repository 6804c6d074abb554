// Starting tasks: the forms shared by everything that keeps tasks.
#pragma once

#include <coppice/detail/outcome_cell.h>
#include <coppice/site.h>
#include <coppice/task.h>

#include <concepts>
#include <functional>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

enum class start_mode {
  queued,  // Never runs inside spawn; cancelled before its first resume, it never runs.
  immediate,  // Runs inside spawn up to its first suspension (on a worker of the same runtime; else queued).
  guaranteed,  // Queued, and runs up to its first cancellation point even if cancelled before.
};

// Aggregate; the name is copied by the call.
struct spawn_options {
  std::string_view name = {};
  start_mode start = start_mode::queued;
  std::optional<duration> timeout =
      {};  // The child is cancelled (kind deadline) after this and fails with
           // timeout_error.
  source_site site = source_site::current();
};

namespace detail {

// What a task is started from: the task itself ...
template <class T>
class started_task {
 public:
  explicit started_task(task<T>&& from) : task_(std::move(from)) {
    if (!task_) {
      throw usage_error(
          "spawn of an empty task: it was default-constructed, moved from, or awaited before");
    }
  }

  void give_back(task<T>&& to) noexcept { to = std::move(task_); }

  promise_base* begin(receiver& to, cancel_node* node, result_slot<T>& result) noexcept {
    promise_base& started = task_access::release(task_);
    started.continue_with(to, node, result.place_of_value(), true);
    return &started;
  }

 private:
  task<T> task_;
};

// ... or a callable and its arguments, which live until the frame is destroyed, since the frame may refer to
// them.
template <class T, class F, class... Args>
class started_call {
 public:
  template <class G, class... Given>
  explicit started_call(G&& function, Given&&... arguments)
      : function_(std::forward<G>(function)), arguments_(std::forward<Given>(arguments)...) {}

  // What was moved in goes back to where it came from.
  template <class G, class... Given>
  void give_back(G&& function, Given&&... arguments) {
    restore(std::forward<G>(function), function_);
    std::apply([&](Args&... each) { (restore(std::forward<Given>(arguments), each), ...); },
               arguments_);
  }

  promise_base* begin(receiver& to, cancel_node* node, result_slot<T>& result) {
    using result_type = std::invoke_result_t<F, Args...>;
    if constexpr (std::is_same_v<result_type, task<T>>) {
      task<T> made = call();
      if (!made) [[unlikely]] {
        throw usage_error("spawn of a callable that gives an empty task");
      }
      promise_base& started = task_access::release(made);
      started.continue_with(to, node, result.place_of_value(), true);
      return &started;
    } else if constexpr (std::is_void_v<T>) {
      call();
      return nullptr;
    } else {
      result.emplace(call());
      return nullptr;
    }
  }

 private:
  std::invoke_result_t<F, Args...> call() {
    return std::apply(
        [this](Args&... each) -> std::invoke_result_t<F, Args...> {
          return std::invoke(std::move(function_), std::move(each)...);
        },
        arguments_);
  }

  template <class To, class From>
  static void restore(To&& to, From& from) {
    if constexpr (!std::is_lvalue_reference_v<To> && std::is_assignable_v<To&, From&&>) {
      to = std::move(from);
    }
  }

  F function_;
  std::tuple<Args...> arguments_;
};

// Reserved to what keeps tasks: the library's way to the keeper of a spawner.
struct spawn_access {
  template <class Spawner>
  static task_keeper& keeper(const Spawner& spawner) {
    return spawner.task_keeper_of();
  }
};

[[noreturn]] COPPICE_EXPORT void throw_refused(admission why, const task_keeper& keeper);

// The task keeper behind the free functions. usage_error outside a task.
COPPICE_EXPORT task_keeper& current_root();

// Counted in by a keeper, until it is listed.
class entered {
 public:
  explicit entered(task_keeper& keeper) noexcept : keeper_(&keeper), answer(keeper.enter()) {}
  entered(const entered&) = delete;
  entered& operator=(const entered&) = delete;
  ~entered() {
    if (keeper_ != nullptr && (answer == admission::admitted || answer == admission::cancelled)) {
      keeper_->leave();
    }
  }

  void listed() noexcept { keeper_ = nullptr; }

 private:
  task_keeper* keeper_;

 public:
  const admission answer;
};

// `insist`: on a cancelled keeper gives a task that has ended as cancelled, rather than none.
template <class T, class Start, class... From>
std::pair<admission, task_handle<T>> start_under(task_keeper& keeper, const spawn_options& options,
                                                 bool insist, From&&... from) {
  entered counted(keeper);
  const bool runs =
      counted.answer == admission::admitted ||
      (counted.answer == admission::cancelled && options.start == start_mode::guaranteed);
  if (!runs && !(counted.answer == admission::cancelled && insist)) {
    return {counted.answer, task_handle<T>()};
  }
  auto* const cell = new spawned_cell<T, Start>(keeper, options, std::forward<From>(from)...);
  cell_ref created(cell);
  task_handle<T> handle{cell_ref(created)};
  if (!runs) {
    cell->refuse();
    return {admission::admitted, std::move(handle)};
  }
  try {
    keeper.list(*cell);
  } catch (...) {
    cell->start_of().give_back(std::forward<From>(from)...);
    throw;
  }
  counted.listed();
  created.release()->launch(options.start == start_mode::immediate);
  return {admission::admitted, std::move(handle)};
}

template <class T>
std::optional<task_handle<T>> try_start(task_keeper& keeper, const spawn_options& options,
                                        task<T>&& from) {
  auto [answer, handle] = start_under<T, started_task<T>>(keeper, options, false, std::move(from));
  return answer == admission::admitted ? std::optional(std::move(handle)) : std::nullopt;
}

template <class F, class... Args>
using started_call_of = started_call<spawned_t<F, Args...>, std::decay_t<F>, std::decay_t<Args>...>;

template <class F, class... Args>
std::optional<task_handle<spawned_t<F, Args...>>> try_start_call(task_keeper& keeper,
                                                                 const spawn_options& options,
                                                                 F&& function,
                                                                 Args&&... arguments) {
  auto [answer, handle] = start_under<spawned_t<F, Args...>, started_call_of<F, Args...>>(
      keeper, options, false, std::forward<F>(function), std::forward<Args>(arguments)...);
  return answer == admission::admitted ? std::optional(std::move(handle)) : std::nullopt;
}

template <class T>
task_handle<T> start(task_keeper& keeper, const spawn_options& options, task<T>&& from) {
  auto [answer, handle] = start_under<T, started_task<T>>(keeper, options, true, std::move(from));
  if (answer != admission::admitted) {
    throw_refused(answer, keeper);
  }
  return std::move(handle);
}

template <class F, class... Args>
task_handle<spawned_t<F, Args...>> start_call(task_keeper& keeper, const spawn_options& options,
                                              F&& function, Args&&... arguments) {
  auto [answer, handle] = start_under<spawned_t<F, Args...>, started_call_of<F, Args...>>(
      keeper, options, true, std::forward<F>(function), std::forward<Args>(arguments)...);
  if (answer != admission::admitted) {
    throw_refused(answer, keeper);
  }
  return std::move(handle);
}

// A source_site given last is the site, not an argument: then it is not for the variadic forms.
template <class... Args>
inline constexpr bool ends_with_site = false;
template <class First, class... Rest>
inline constexpr bool ends_with_site<First, Rest...> =
    sizeof...(Rest) == 0 ? std::is_same_v<std::remove_cvref_t<First>, source_site>
                         : ends_with_site<Rest...>;

template <class F, class... Args>
concept plain_spawnable = spawnable<F, Args...> && !ends_with_site<F, Args...>;

}  // namespace detail

// How tasks are started, alike on everything that keeps tasks. The forms may be called from any thread and
// return at once. A callable and its arguments are copied (lvalues) or moved (rvalues) beside the frame and
// live until it is destroyed; a callable may also give a plain T, and is then run as it is, on a worker.
// On a cancelled scope: a handle that is already cancelled; nothing runs, the arguments are destroyed. After the
// exit: scope_closed. Over a limit: resource_exhausted. Without memory: std::bad_alloc. If spawn
// throws, a task given as an rvalue is still in the caller's hands.
template <class Self>
class spawner {
 public:
  template <class T>
  task_handle<T> spawn(task<T>&& t, source_site site = source_site::current()) {
    return detail::start(keeper(), {.site = site}, std::move(t));
  }

  template <class T>
  task_handle<T> spawn(spawn_options options, task<T>&& t) {
    return detail::start(keeper(), options, std::move(t));
  }

  template <class F, class... Args>
    requires spawnable<F, Args...>
  task_handle<spawned_t<F, Args...>> spawn(spawn_options options, F&& fn, Args&&... args) {
    return detail::start_call(keeper(), options, std::forward<F>(fn), std::forward<Args>(args)...);
  }

  template <spawnable F>
  task_handle<spawned_t<F>> spawn(F&& fn, source_site site = source_site::current()) {
    return detail::start_call(keeper(), {.site = site}, std::forward<F>(fn));
  }

  template <class F, class A>
    requires detail::plain_spawnable<F, A>
  task_handle<spawned_t<F, A>> spawn(F&& fn, A&& a, source_site site = source_site::current()) {
    return detail::start_call(keeper(), {.site = site}, std::forward<F>(fn), std::forward<A>(a));
  }

  template <class F, class A, class B>
    requires detail::plain_spawnable<F, A, B>
  task_handle<spawned_t<F, A, B>> spawn(F&& fn, A&& a, B&& b,
                                        source_site site = source_site::current()) {
    return detail::start_call(keeper(), {.site = site}, std::forward<F>(fn), std::forward<A>(a),
                              std::forward<B>(b));
  }

  template <class F, class A, class B, class C>
    requires detail::plain_spawnable<F, A, B, C>
  task_handle<spawned_t<F, A, B, C>> spawn(F&& fn, A&& a, B&& b, C&& c,
                                           source_site site = source_site::current()) {
    return detail::start_call(keeper(), {.site = site}, std::forward<F>(fn), std::forward<A>(a),
                              std::forward<B>(b), std::forward<C>(c));
  }

  template <class F, class A, class B, class C, class D, class... Rest>
    requires detail::plain_spawnable<F, A, B, C, D, Rest...>
  task_handle<spawned_t<F, A, B, C, D, Rest...>> spawn(F&& fn, A&& a, B&& b, C&& c, D&& d,
                                                       Rest&&... rest) {
    return detail::start_call(keeper(), {.site = {}}, std::forward<F>(fn), std::forward<A>(a),
                              std::forward<B>(b), std::forward<C>(c), std::forward<D>(d),
                              std::forward<Rest>(rest)...);
  }

  // Empty if refused (cancelled, closed, over a limit); then the task, callable and arguments are untouched.
  template <class T>
  [[nodiscard]] std::optional<task_handle<T>> try_spawn(task<T>&& t,
                                                        source_site site = source_site::current()) {
    return detail::try_start(keeper(), {.site = site}, std::move(t));
  }

  template <class T>
  [[nodiscard]] std::optional<task_handle<T>> try_spawn(spawn_options options, task<T>&& t) {
    return detail::try_start(keeper(), options, std::move(t));
  }

  template <class F, class... Args>
    requires spawnable<F, Args...>
  [[nodiscard]] std::optional<task_handle<spawned_t<F, Args...>>> try_spawn(F&& fn,
                                                                            Args&&... args) {
    return detail::try_start_call(keeper(), {.site = {}}, std::forward<F>(fn),
                                  std::forward<Args>(args)...);
  }

  template <class F, class... Args>
    requires spawnable<F, Args...>
  [[nodiscard]] std::optional<task_handle<spawned_t<F, Args...>>> try_spawn(spawn_options options,
                                                                            F&& fn,
                                                                            Args&&... args) {
    return detail::try_start_call(keeper(), options, std::forward<F>(fn),
                                  std::forward<Args>(args)...);
  }

 protected:
  spawner() = default;
  ~spawner() = default;

 private:
  detail::task_keeper& keeper() const {
    return detail::spawn_access::keeper(static_cast<const Self&>(*this));
  }
};

// Into the root of the current task's runtime: retained until done, a failure nobody is suspended on is
// reported at once. usage_error outside a task: use runtime::spawn there.
template <class T>
task_handle<T> spawn(task<T>&& t, source_site site = source_site::current()) {
  return detail::start(detail::current_root(), {.site = site}, std::move(t));
}

template <class T>
task_handle<T> spawn(spawn_options options, task<T>&& t) {
  return detail::start(detail::current_root(), options, std::move(t));
}

template <class F, class... Args>
  requires spawnable<F, Args...>
task_handle<spawned_t<F, Args...>> spawn(F&& fn, Args&&... args) {
  return detail::start_call(detail::current_root(), {.site = {}}, std::forward<F>(fn),
                            std::forward<Args>(args)...);
}

template <class F, class... Args>
  requires spawnable<F, Args...>
task_handle<spawned_t<F, Args...>> spawn(spawn_options options, F&& fn, Args&&... args) {
  return detail::start_call(detail::current_root(), options, std::forward<F>(fn),
                            std::forward<Args>(args)...);
}

template <class T>
[[nodiscard]] std::optional<task_handle<T>> try_spawn(task<T>&& t,
                                                      source_site site = source_site::current()) {
  return detail::try_start(detail::current_root(), {.site = site}, std::move(t));
}

template <class T>
[[nodiscard]] std::optional<task_handle<T>> try_spawn(spawn_options options, task<T>&& t) {
  return detail::try_start(detail::current_root(), options, std::move(t));
}

template <class F, class... Args>
  requires spawnable<F, Args...>
[[nodiscard]] std::optional<task_handle<spawned_t<F, Args...>>> try_spawn(F&& fn, Args&&... args) {
  return detail::try_start_call(detail::current_root(), {.site = {}}, std::forward<F>(fn),
                                std::forward<Args>(args)...);
}

template <class F, class... Args>
  requires spawnable<F, Args...>
[[nodiscard]] std::optional<task_handle<spawned_t<F, Args...>>> try_spawn(spawn_options options,
                                                                          F&& fn, Args&&... args) {
  return detail::try_start_call(detail::current_root(), options, std::forward<F>(fn),
                                std::forward<Args>(args)...);
}

}  // namespace coppice::inline v0
