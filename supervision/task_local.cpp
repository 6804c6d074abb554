// Binding task_locals, and finding what is bound.
#include <coppice/task_local.h>

#include <coppice/detail/worker_core.h>

#include <utility>

namespace coppice::inline v0::detail {

namespace {

// The node's answer to bindings() is all that it adds to the tree.
class binding_scope final : public scope_core {
 public:
  binding_scope(binding_ref bound, worker_core& here)
      : scope_core({}, {}, here.executor()), bound_(std::move(bound)), node_(here.scope, bound_) {}

  cancel_node& node() noexcept override { return node_; }

 private:
  class binding_node final : public strand_node {
   public:
    binding_node(cancel_node* parent, const binding_ref& bound) noexcept
        : strand_node(parent), bound_(bound) {}

    const binding_ref* bindings() const noexcept override { return &bound_; }

   private:
    const binding_ref& bound_;
  };

  void close_node(worker_core& here) noexcept override { node_.close(here); }

  const binding_ref bound_;
  binding_node node_;
};

const binding_ref* nearest_bindings(const cancel_node* from) noexcept {
  for (; from != nullptr; from = from->parent()) {
    if (const binding_ref* const bound = from->bindings()) {
      return bound;
    }
  }
  return nullptr;
}

// What the running task was spawned with: from there on the values that are not inherited are its spawner's.
const binding* snapshot_of_task(const cancel_node* from) noexcept {
  while (from != nullptr && !from->is_task()) {
    from = from->parent();
  }
  return from != nullptr ? from->bindings()->get() : nullptr;
}

bool bound_since(const binding* snapshot, const binding* innermost, const binding& which) noexcept {
  for (const binding* each = innermost; each != snapshot; each = each->outer()) {
    if (each == &which) {
      return true;
    }
  }
  return false;
}

}  // namespace

void fresh_binding::bind_below(cancel_node* scope) noexcept {
  const binding_ref* const outer = nearest_bindings(scope);
  hang_below(outer != nullptr ? binding_ref(*outer).release() : nullptr);
}

core_ref open_binding_scope(const binding_ref& bound, worker_core& here) {
  return core_ref(new binding_scope(bound, here));
}

const void* bound_now(const void* key) noexcept {
  const worker_core* const here = this_worker();
  const cancel_node* const scope = here != nullptr ? here->scope : nullptr;
  const binding_ref* const bound = nearest_bindings(scope);
  const binding* found = bound != nullptr ? bound->get() : nullptr;
  while (found != nullptr && found->key() != key) {
    found = found->outer();
  }
  if (found == nullptr ||
      (!found->inherited() && !bound_since(snapshot_of_task(scope), bound->get(), *found))) {
    return nullptr;
  }
  return found->value();
}

}  // namespace coppice::inline v0::detail
