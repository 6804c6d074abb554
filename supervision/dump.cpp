// Listing and printing live tasks.
#include <coppice/dump.h>

#include "supervision/task_list.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/time/time.h>
#include <coppice/detail/scope_core.h>
#include <coppice/error.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>

namespace coppice::inline v0 {

namespace detail {

namespace {

std::uint64_t number(task_id id) {
  return static_cast<std::uint64_t>(id);
}

// The task may end at any time, and with it what is above; so its scope is kept open while somebody looks up. The
// root stays, and is never asked itself.
bool cancelled_from_above(outcome_cell& cell) noexcept {
  scope_core* const scope = cell.keeper().node()->scope();
  if (scope == nullptr || !scope->enter_open()) {
    return false;
  }
  const bool cancelled = scope->cancelled();
  scope->leave();
  return cancelled;
}

}  // namespace

bool asked_to_stop(const task_ref& task) noexcept {
  outcome_cell& cell = handle_access::cell(task, "dump");
  return cell.cancel_requested() || cancelled_from_above(cell);
}

calls_in_flight::calls_in_flight(const executor& of) {
  if (of.forked()) {
    return;  // Their threads stayed in the parent.
  }
  for (blocking_call_info& each : blocking_calls(of)) {
    if (each.left) {
      left_.push_back(std::move(each));
    } else {
      awaited_.emplace(each.task, std::move(each));
    }
  }
}

std::string calls_in_flight::waiting_for(task_id task, const char* label) const {
  std::string text = label != nullptr ? label : "";
  const auto [first, last] = awaited_.equal_range(task);
  if (text.empty() || first == last) {
    return text;
  }
  // Of several, or of a wait that its task has described, its own words come first.
  const char* separator = ": ";
  if (text == "spawn_blocking") {
    text.clear();
    separator = "";
  }
  for (auto each = first; each != last; ++each) {
    const blocking_call_info& call = each->second;
    absl::StrAppend(&text, separator, "spawn_blocking", call.name.empty() ? "" : " ", call.name,
                    call.begun ? "" : " (not begun)");
    separator = ", ";
  }
  return text;
}

task_info info_of(const task_ref& task, time_point now, const calls_in_flight& calls) {
  outcome_cell& cell = handle_access::cell(task, "dump");
  task_info info;
  info.task = task;
  info.id = cell.id();
  info.parent = cell.parent();
  info.name = cell.name();
  info.site = cell.site();
  info.status = cell.status();
  info.age = now - cell.spawned_at();
  if (const char* const what = cell.waiting_for()) {
    info.waiting_for = calls.waiting_for(cell.id(), what);
    info.waiting = std::max(now - cell.waiting_since(), duration::zero());
  }
  info.scope = cell.keeper().name();
  info.restarts = cell.keeper().restarts();
  info.cancel_requested = asked_to_stop(task);
  info.shielded = cell.node().shields_itself();
  return info;
}

namespace {

// Length of the UTF-8 sequence that the text begins with; 0 if it begins with none.
std::size_t sequence_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (text.size() < length) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  // Overlong forms, surrogates, and what lies beyond Unicode.
  const bool wrong =
      length >= 3 && ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) ||
                      (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90));
  return wrong ? 0 : length;
}

// Names may hold any bytes; what is no UTF-8 is replaced, for JSON is.
std::string json_text(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      quoted += "\\ufffd";
    } else if (text[0] == '"' || text[0] == '\\') {
      quoted += '\\';
      quoted += text[0];
    } else if (static_cast<unsigned char>(text[0]) < 0x20) {
      quoted += absl::StrFormat("\\u%04x", static_cast<unsigned>(text[0]));
    } else {
      quoted += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return quoted + '"';
}

void append_site(std::string& line, const char* what, const source_site& site) {
  if (*site.file != '\0') {
    absl::StrAppend(&line, ", ", what, " at ", site.file, ":", site.line);
  }
}

std::string line_of(const blocking_call_info& call, time_point now) {
  std::string line = "blocking call";
  if (!call.name.empty()) {
    absl::StrAppend(&line, " \"", call.name, "\"");
  }
  absl::StrAppend(
      &line, " running for ",
      absl::FormatDuration(absl::FromChrono(std::max(now - call.since, duration::zero()))),
      ", left by task ", number(call.task));
  append_site(line, "called", call.site);
  return line;
}

std::string line_of(const task_info& task) {
  std::string line = absl::StrCat("task ", number(task.id));
  if (!task.name.empty()) {
    absl::StrAppend(&line, " \"", absl::string_view(task.name), "\"");
  }
  const std::string_view status = to_string(task.status);
  absl::StrAppend(&line, " ", absl::string_view(status.data(), status.size()));
  if (!task.waiting_for.empty()) {
    absl::StrAppend(&line, " on ", task.waiting_for, " for ",
                    absl::FormatDuration(absl::FromChrono(task.waiting)));
  }
  absl::StrAppend(&line, ", ", absl::FormatDuration(absl::FromChrono(task.age)), " old");
  if (task.restarts != 0) {
    absl::StrAppend(&line, ", restarted ", task.restarts, task.restarts == 1 ? " time" : " times");
  }
  if (task.cancel_requested) {
    absl::StrAppend(&line, ", asked to stop");
  }
  if (task.shielded) {
    absl::StrAppend(&line, ", shielded");
  }
  if (!task.scope.empty()) {
    absl::StrAppend(&line, ", in \"", task.scope, "\"");
  }
  append_site(line, "spawned", task.site);
  return line;
}

void print_json(std::ostream& out, const std::vector<task_info>& tasks,
                const std::vector<blocking_call_info>& left, time_point now) {
  out << "{\"tasks\":[";
  const char* separator = "";
  for (const task_info& task : tasks) {
    out << separator << "\n{\"id\":" << number(task.id) << ",\"parent\":" << number(task.parent)
        << ",\"name\":" << json_text(task.name) << ",\"scope\":" << json_text(task.scope)
        << R"(,"status":")" << to_string(task.status) << R"(","age_ns":)" << task.age.count()
        << ",\"restarts\":" << task.restarts << ",\"waiting_for\":" << json_text(task.waiting_for)
        << ",\"waiting_ns\":" << task.waiting.count()
        << ",\"cancel_requested\":" << (task.cancel_requested ? "true" : "false")
        << ",\"shielded\":" << (task.shielded ? "true" : "false")
        << ",\"file\":" << json_text(task.site.file) << ",\"line\":" << task.site.line
        << ",\"function\":" << json_text(task.site.function) << "}";
    separator = ",";
  }
  out << "\n],\"blocking_calls\":[";
  separator = "";
  for (const blocking_call_info& call : left) {
    out << separator << "\n{\"task\":" << number(call.task) << ",\"name\":" << json_text(call.name)
        << ",\"running_ns\":" << std::max(now - call.since, duration::zero()).count()
        << ",\"file\":" << json_text(call.site.file) << ",\"line\":" << call.site.line
        << ",\"function\":" << json_text(call.site.function) << "}";
    separator = ",";
  }
  out << "\n]}\n";
}

}  // namespace

// Ids grow from parent to child, but not from worker to worker: children are put behind their parents.
std::vector<task_info> tasks_of(const executor& of) {
  std::vector<task_info> tasks;
  const time_point now_there = of.time_now();
  const calls_in_flight calls(of);
  for (const task_ref& task : of.live_tasks()) {
    tasks.push_back(info_of(task, now_there, calls));
  }
  std::multimap<task_id, std::size_t> children;
  std::map<task_id, std::size_t> places;
  for (std::size_t i = 0; i != tasks.size(); ++i) {
    places.emplace(tasks[i].id, i);
  }
  std::vector<std::size_t> open;
  for (std::size_t i = tasks.size(); i-- != 0;) {
    if (places.contains(tasks[i].parent)) {
      children.emplace(tasks[i].parent, i);
    } else {
      open.push_back(i);
    }
  }
  std::vector<task_info> ordered;
  ordered.reserve(tasks.size());
  while (!open.empty()) {
    const std::size_t next = open.back();
    open.pop_back();
    const auto [first, last] = children.equal_range(tasks[next].id);
    for (auto each = first; each != last; ++each) {
      open.push_back(each->second);
    }
    ordered.push_back(std::move(tasks[next]));
  }
  return ordered;
}

void print_tasks(std::ostream& out, const std::vector<task_info>& tasks, dump_format format,
                 const std::vector<blocking_call_info>& left, time_point now) {
  if (format == dump_format::json) {
    print_json(out, tasks, left, now);
    return;
  }
  std::map<task_id, std::size_t> depths;
  for (const task_info& task : tasks) {
    const auto parent = depths.find(task.parent);
    const std::size_t depth = parent == depths.end() ? 0 : parent->second + 1;
    depths.emplace(task.id, depth);
    out << std::string(2 * depth, ' ') << line_of(task) << '\n';
  }
  if (tasks.empty() && left.empty()) {
    out << "no live task\n";
  }
  for (const blocking_call_info& call : left) {
    out << line_of(call, now) << '\n';
  }
}

void print_dump(std::ostream& out, const executor& of, dump_format format) {
  print_tasks(out, tasks_of(of), format, calls_in_flight(of).left(), of.time_now());
}

std::vector<stuck_child> stuck_tasks(const executor& of) {
  std::vector<stuck_child> stuck;
  for (task_info& task : tasks_of(of)) {
    stuck.push_back({task.task, std::move(task.name), task.site,
                     task.waiting_for.empty() ? "running" : std::move(task.waiting_for)});
  }
  const calls_in_flight calls(of);
  for (const blocking_call_info& call : calls.left()) {
    stuck.push_back({{}, call.name, call.site, "running"});
  }
  return stuck;
}

void print_stuck(const executor& of) noexcept {
  try {
    std::ostringstream block;
    const std::vector<task_info> tasks = tasks_of(of);
    const calls_in_flight calls(of);
    block << "coppice: shutdown waits for ";
    if (!tasks.empty() || calls.left().empty()) {
      block << tasks.size() << " task(s) that were asked to stop and are still there";
    }
    if (!calls.left().empty()) {
      block << (tasks.empty() ? "" : ", and ") << calls.left().size()
            << " blocking call(s) that were left and have not returned";
    }
    block << ":\n";
    print_tasks(block, tasks, dump_format::text, calls.left(), of.time_now());
    std::fputs(block.str().c_str(), stderr);
  } catch (...) {
    std::fputs("coppice: shutdown waits for tasks that were asked to stop and are still there\n",
               stderr);
  }
}

void print_late(const std::vector<task_info>& tasks, duration limit) {
  std::ostringstream block;
  for (const task_info& task : tasks) {
    block << "coppice: still there " << absl::FormatDuration(absl::FromChrono(limit))
          << " after it was asked to stop: " << line_of(task) << '\n';
  }
  std::fputs(block.str().c_str(), stderr);
}

}  // namespace detail

std::vector<task_info> all_tasks() {
  return detail::tasks_of(detail::current_executor("all_tasks()"));
}

void dump_tasks(std::ostream& out, dump_format format) {
  detail::print_dump(out, detail::current_executor("dump_tasks()"), format);
}

}  // namespace coppice::inline v0
