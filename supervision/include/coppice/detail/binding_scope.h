// The scope in which a task_local is bound: a node that carries the value, and that users do not know as a scope.
#pragma once

#include <coppice/detail/binding.h>
#include <coppice/detail/export.h>
#include <coppice/detail/result_slot.h>
#include <coppice/detail/scope_core.h>
#include <coppice/detail/scope_run.h>
#include <coppice/scope.h>

#include <memory>
#include <utility>

namespace coppice::inline v0::detail {

// A value that is bound, or is going to be.
class COPPICE_EXPORT fresh_binding : public binding {
 public:
  // Under the running code, which may have bound others. Hands over its reference.
  void bind_below(cancel_node* scope) noexcept;

 protected:
  using binding::binding;
};

template <class T>
class bound_value final : public fresh_binding {
 public:
  template <class V>
  bound_value(const void* key, bool inherited, V&& value)
      : fresh_binding(key, inherited), kept_(std::forward<V>(value)) {
    value_ = std::addressof(kept_);
  }

 private:
  const T kept_;
};

// Throws std::bad_alloc.
COPPICE_EXPORT core_ref open_binding_scope(const binding_ref& bound, worker_core& here);

// What the running code sees of the key, null if it is not bound.
COPPICE_EXPORT const void* bound_now(const void* key) noexcept;

// What a body that is given nothing is given.
struct no_face {};

class binding_policy {
 public:
  template <class T>
  using result = T;

  explicit binding_policy(fresh_binding& counted) noexcept : bound_(&counted), kept_(&counted) {}

  core_ref make(worker_core& here) {
    core_ref made = open_binding_scope(kept_, here);
    bound_->bind_below(here.scope);
    return made;
  }
  no_face& face(scope_core&) noexcept { return face_; }
  static void body_failed(scope_core&, const std::exception_ptr&) noexcept {}
  static bool failed(scope_core&, const failure_slot& body) noexcept { return body.failed(); }

  template <class T>
  T finish(scope_run& end, result_slot<T>& body) {
    if (body.failed()) {
      std::rethrow_exception(end.take_failure());
    }
    return body.take_value();
  }

 private:
  fresh_binding* bound_;
  binding_ref kept_;
  no_face face_;
};

}  // namespace coppice::inline v0::detail
