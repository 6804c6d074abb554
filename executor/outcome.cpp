// What lies behind an error_entry, and the parts of an outcome that are the same for every type.
#include <coppice/outcome.h>

#include <coppice/detail/reclaim.h>
#include <coppice/detail/reference_count.h>

#include <new>
#include <ostream>

#include "executor/wording.h"

namespace coppice::inline v0 {
namespace detail {

// Written before the first entry shows it, and never again. A failure's suppressed failures may
// have suppressed others, to any depth: hence reclaimable.
class error_record final : public reclaimable {
 public:
  mutable reference_count references;
  task_id id = task_id::none;
  std::string name;
  source_site site;
  std::optional<cancel_reason> context;
  std::vector<error_entry> suppressed;
  std::vector<std::string> notes;
};

struct entry_access {
  // Takes over a reference to the record.
  static error_entry make(std::exception_ptr error, const error_record* counted) noexcept {
    error_entry entry(std::move(error));
    entry.record_ = counted;
    return entry;
  }

  // A record of the caller's own, with all that the entry's record says. Throws std::bad_alloc.
  static std::unique_ptr<error_record> copy(const error_entry& entry) {
    auto record = std::make_unique<error_record>();
    if (const error_record* const known = entry.record_) {
      record->id = known->id;
      record->name = known->name;
      record->site = known->site;
      record->context = known->context;
      record->suppressed = known->suppressed;
      record->notes = known->notes;
    }
    return record;
  }
};

namespace {

// Puts a changed copy of its record into the entry.
template <class Change>
bool change(error_entry& entry, Change&& apply) noexcept try {
  std::unique_ptr<error_record> record = entry_access::copy(entry);
  apply(*record);
  entry = entry_access::make(entry.error(), record.release());
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

}  // namespace

error_entry make_entry(std::exception_ptr error, task_id id, std::string_view name,
                       source_site site, std::optional<cancel_reason> context,
                       std::vector<error_entry>&& suppressed,
                       std::vector<std::string>&& notes) noexcept try {
  auto record = std::make_unique<error_record>();
  record->id = id;
  record->name = name;
  record->site = site;
  record->context = std::move(context);
  record->suppressed = std::move(suppressed);
  record->notes = std::move(notes);
  return entry_access::make(std::move(error), record.release());
} catch (const std::bad_alloc&) {
  return error_entry(std::move(error));
}

bool add_suppressed(error_entry& entry, const error_entry& suppressed) noexcept {
  return change(entry, [&](error_record& record) { record.suppressed.push_back(suppressed); });
}

bool add_note(error_entry& entry, std::string_view note) noexcept {
  return change(entry, [&](error_record& record) { record.notes.emplace_back(note); });
}

const error_entry& empty_entry() noexcept {
  // Never destroyed: an outcome may be looked at while the process ends.
  alignas(error_entry) static unsigned char storage[sizeof(error_entry)];
  static const error_entry* const entry = ::new (static_cast<void*>(storage)) error_entry;
  return *entry;
}

void throw_failure(const error_entry& entry) {
  if (entry.error() == nullptr) {
    throw usage_error(
        "outcome::get: the outcome failed with an empty error_entry; give failed_with an "
        "exception");
  }
  std::rethrow_exception(entry.error());
}

void throw_cancelled(const cancel_reason& reason) {
  throw task_cancelled(reason);
}

std::ostream& print_outcome(std::ostream& out, task_status status, const error_entry& entry,
                            const cancel_reason& reason) {
  out << to_string(status);
  if (status == task_status::failed) {
    out << ": " << (entry.error() ? entry.message() : "no exception");
  } else if (status == task_status::cancelled) {
    out << ": " << reason_text(reason);
  }
  return out;
}

}  // namespace detail

std::string_view to_string(task_status status) noexcept {
  switch (status) {
    case task_status::pending:
      return "pending";
    case task_status::running:
      return "running";
    case task_status::suspended:
      return "suspended";
    case task_status::completed:
      return "completed";
    case task_status::failed:
      return "failed";
    case task_status::cancelled:
      return "cancelled";
  }
  return "unknown";
}

task_id error_entry::id() const noexcept {
  return record_ != nullptr ? record_->id : task_id::none;
}

std::string_view error_entry::name() const noexcept {
  return record_ != nullptr ? std::string_view(record_->name) : std::string_view();
}

source_site error_entry::site() const noexcept {
  return record_ != nullptr ? record_->site : source_site();
}

const cancel_reason* error_entry::context() const noexcept {
  return record_ != nullptr && record_->context.has_value() ? &*record_->context : nullptr;
}

std::span<const error_entry> error_entry::suppressed() const noexcept {
  return record_ != nullptr ? std::span<const error_entry>(record_->suppressed)
                            : std::span<const error_entry>();
}

std::span<const std::string> error_entry::notes() const noexcept {
  return record_ != nullptr ? std::span<const std::string>(record_->notes)
                            : std::span<const std::string>();
}

void error_entry::keep(const detail::error_record* record) noexcept {
  record->references.add();
}

void error_entry::drop(const detail::error_record* record) noexcept {
  if (record->references.drop()) {
    detail::reclaim(const_cast<detail::error_record*>(record));
  }
}

}  // namespace coppice::inline v0
