// Children in, failures out.
#include <coppice/detail/group_core.h>

#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/executor.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace coppice::inline v0::detail {

group_core::group_core(std::string_view name, const source_site& site, child_failures treatment,
                       std::optional<std::size_t> max_children, cancel_node* parent,
                       worker_core& here)
    : scope_core(name, site, here.executor()),
      treatment_(treatment),
      max_children_(max_children.value_or(std::numeric_limits<std::size_t>::max())),
      children_(*this, root_keeper(here)),
      node_(*this, parent, epoch{0}) {}

// Counted in, the scope stays open, and so does all above it.
admission group_core::child_keeper::enter() noexcept {
  if (of_.sealed_.load(std::memory_order_relaxed) || !of_.enter_open()) {
    return admission::closed;
  }
  admission answer = admission::exhausted;
  if (live.fetch_add(1, std::memory_order_relaxed) < of_.max_children_) {
    answer = root_.enter();
    if (answer == admission::admitted) {
      return of_.cancelled() ? admission::cancelled : admission::admitted;
    }
  }
  live.fetch_sub(1, std::memory_order_relaxed);
  of_.scope_core::leave();
  return answer;
}

void group_core::child_keeper::leave() noexcept {
  root_.leave();
  live.fetch_sub(1, std::memory_order_relaxed);
  of_.scope_core::leave();
}

bool group_core::child_keeper::add_reference() noexcept {
  of_.add_reference();
  return true;
}

void group_core::child_keeper::ended(outcome_cell& task, bool /*taken*/) noexcept {
  worker_core& here = *this_worker();
  const task_status how = task.status();
  if (how == task_status::failed) {
    of_.take(task, here);
  }
  of_.child_ended(how);
  root_.unlist(task);
  if (how == task_status::cancelled && here.ledger.open()) {
    here.ledger.leave(*this, here);
  } else {
    left(1, here);
  }
}

void group_core::child_keeper::left(std::uint32_t tasks, worker_core& here) noexcept {
  root_.left(tasks, here);
  live.fetch_sub(tasks, std::memory_order_relaxed);
  of_.children_left(here);
  of_.scope_core::leave(tasks);
}

void group_core::take(outcome_cell& failed, worker_core& here) noexcept {
  const bool fatal = is_fatal(failed.failure().error());
  const bool first = !collected();
  if (treatment_ == child_failures::report && !fatal) {
    report_from(&node_, here, error_origin::child, failed.failure());
    return;
  }
  push(failed);
  if (fatal) {
    cancel_others(cancel_reason(cancel_kind::fatal, {}, failed.site()));
  } else if (treatment_ == child_failures::cancel_all && first) {
    cancel_others(cancel_reason(cancel_kind::sibling_failed, {}, failed.site()));
  }
}

// The list keeps the task by a reference; its link is free, for it is in no queue any more.
void group_core::push(outcome_cell& failed) noexcept {
  failed.add_reference();
  outcome_cell* newest = failures_.load(std::memory_order_relaxed);
  do {
    failed.next = newest;
  } while (!failures_.compare_exchange_weak(newest, &failed, std::memory_order_release,  // GF1
                                            std::memory_order_relaxed));
}

void group_core::body_failed(const std::exception_ptr& error) noexcept {
  if (is_fatal(error)) {
    cancel_others(cancel_reason(cancel_kind::fatal, {}, site()));
  } else if (treatment_ != child_failures::collect_all) {
    cancel_others(cancel_reason(cancel_kind::sibling_failed, {}, site()));
  }
}

// In order of arrival. Throws std::bad_alloc, and has then taken nothing.
std::vector<error_entry> group_core::take_failures() {
  std::size_t count = 0;
  for (const detail::job* each = failures_.load(std::memory_order_acquire); each != nullptr;  // GF1
       each = each->next) {
    ++count;
  }
  std::vector<error_entry> entries(count);
  detail::job* each = failures_.exchange(nullptr, std::memory_order_acquire);  // GF1
  for (std::size_t i = count; i-- != 0;) {
    auto* const failed = static_cast<outcome_cell*>(each);
    each = each->next;
    entries[i] = failed->failure();
    failed->drop();
  }
  return entries;
}

scope_joiner& group_core::leave_to_root(scope_joiner& other, worker_core& here) noexcept {
  scope_joiner& before = pass_to(other, here);
  node_.leave_to(executor_of(here).root(), here);
  return before;
}

void group_core::report_failures(cancel_node& from, worker_core& here) noexcept {
  detail::job* each = failures_.exchange(nullptr, std::memory_order_acquire);  // GF1
  while (each != nullptr) {
    auto* const failed = static_cast<outcome_cell*>(each);
    each = each->next;
    report_from(&from, here, error_origin::suppressed, failed->failure());
    failed->drop();
  }
  if (error_entry own = own_failure(); own.error() != nullptr) {
    report_from(&from, here, error_origin::suppressed, std::move(own));
  }
}

void group_core::throw_failures(const std::exception_ptr& body, cancel_node& host) {
  if (!failed() && body == nullptr) {
    return;
  }
  worker_core& here = *this_worker();
  outcome_cell* const task = host.task();
  error_entry of_body;
  if (body != nullptr) {
    of_body = task != nullptr ? task->entry_for(body) : error_entry(body);
  }
  std::vector<error_entry> entries;
  try {
    entries = take_failures();
    if (body != nullptr) {
      entries.push_back(of_body);
    }
    if (error_entry own = own_failure(); own.error() != nullptr) {
      entries.push_back(std::move(own));
    }
  } catch (const std::bad_alloc&) {
    report_failures(host, here);
    for (const error_entry& one : entries) {
      report_from(&host, here, error_origin::suppressed, one);
    }
    if (body != nullptr) {
      report_from(&host, here, error_origin::suppressed, std::move(of_body));
    }
    throw;
  }
  const auto fatal = std::find_if(entries.begin(), entries.end(),
                                  [](const error_entry& each) { return is_fatal(each.error()); });
  if (fatal != entries.end() || treatment_ == child_failures::report) {
    const auto thrown = fatal != entries.end() ? fatal : entries.end() - 1;
    for (auto each = entries.begin(); each != entries.end(); ++each) {
      if (each != thrown) {
        report_from(&host, here, error_origin::suppressed, *each);
      }
    }
    const std::exception_ptr error = thrown->error();
    if (task != nullptr && entries.size() > 1) {
      entries.erase(thrown);
      task->remember(
          make_entry(error, task_id::none, {}, {}, std::nullopt, std::move(entries), {}));
    }
    std::rethrow_exception(error);
  }
  throw make_group(entries, host, here);
}

exception_group group_core::make_group(const std::vector<error_entry>& entries, cancel_node& host,
                                       worker_core& here) const {
  try {
    std::string message = kind();
    if (!name().empty()) {
      message.append(" \"").append(name()).append("\"");
    }
    return exception_group(message + " failed", entries);
  } catch (const std::bad_alloc&) {
    for (const error_entry& each : entries) {
      report_from(&host, here, error_origin::suppressed, each);
    }
    throw;
  }
}

namespace {

class keeper_of_nothing final : public task_keeper {
 public:
  admission enter() noexcept override { return admission::closed; }
  void leave() noexcept override {}
  void list(outcome_cell&) override {}
  cancel_node* node() noexcept override { return nullptr; }
  void ended(outcome_cell&, bool) noexcept override {}
  executor_core& home() const noexcept override { std::terminate(); }
  const char* kind() const noexcept override { return "a scope that is not open"; }
};

}  // namespace

task_keeper& closed_keeper() noexcept {
  static keeper_of_nothing only;
  return only;
}

}  // namespace coppice::inline v0::detail
