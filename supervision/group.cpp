// Groups as users hold them.
#include <coppice/group.h>

#include "supervision/manual_join.h"

#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/sleep.h>

#include <utility>

namespace coppice::inline v0 {

namespace {

detail::group_core* core_of(const task_group& group) noexcept {
  return static_cast<detail::group_core*>(detail::scope_access::core(group).get());
}

}  // namespace

std::size_t task_group::size() const noexcept {
  const detail::group_core* const core = core_of(*this);
  return core != nullptr ? core->size() : 0;
}

detail::task_keeper& task_group::task_keeper_of() const {
  detail::group_core* const core = core_of(*this);
  return core != nullptr ? core->children() : detail::closed_keeper();
}

namespace detail {

core_ref open_group_core(const group_options& options, cancel_node* parent, worker_core& here) {
  core_ref core(new group_core(options.name, options.site,
                               options.on_failure == on_child_failure::collect_all
                                   ? child_failures::collect_all
                                   : child_failures::cancel_all,
                               options.max_children, parent, here));
  if (options.timeout) {
    core->reschedule(time_in(*options.timeout));
  }
  return core;
}

}  // namespace detail

manual_group::manual_group(group_options options) : name_(options.name), options_(options) {
  options_.name = name_;
}

manual_group::~manual_group() {
  if (is_open()) {
    join_->abandon("manual_group", size());
  }
}

void manual_group::open() {
  if (is_open()) {
    throw usage_error("manual_group::open() of a group that is open: close() it first");
  }
  join_ = detail::manual_join::open("manual_group::open()", *this,
                                    [this](detail::cancel_node* parent, detail::worker_core& here) {
                                      return detail::open_group_core(options_, parent, here);
                                    });
}

bool manual_group::is_open() const noexcept {
  return join_ != nullptr && join_->is_open();
}

task<> manual_group::close() {
  return is_open() ? detail::close_manual_scope(join_) : detail::nothing_to_close();
}

}  // namespace coppice::inline v0
