#include "executor/wording.h"

#include <cstdint>
#include <utility>

namespace coppice::inline v0::detail {

std::string reason_text(const cancel_reason& reason) {
  std::string text(to_string(reason.kind()));
  if (!reason.message().empty()) {
    text += ": ";
    text += reason.message();
  }
  return text;
}

std::string site_text(const source_site& site) {
  if (site.file == nullptr || *site.file == '\0') {
    return {};
  }
  return std::string(site.file) + ":" + std::to_string(site.line);
}

std::string task_text(task_id id, std::string_view name) {
  if (id == task_id::none && name.empty()) {
    return {};
  }
  std::string text = "task";
  if (id != task_id::none) {
    text += ' ' + std::to_string(static_cast<std::uint64_t>(id));
  }
  if (!name.empty()) {
    text += ' ' + quoted(name);
  }
  return text;
}

std::string duration_text(std::chrono::nanoseconds duration) {
  using unit = std::pair<std::int64_t, const char*>;  // Its size in nanoseconds, its name.
  static constexpr unit units[] = {
      {1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}};
  const std::int64_t ns = duration.count();
  if (ns <= 0) {
    return "0s";
  }
  const unit* fitting = units;
  while (ns < fitting->first) {
    ++fitting;
  }
  const auto [size, name] = *fitting;
  std::string text = std::to_string(ns / size);
  std::string places = std::to_string(1000 + ns % size * 1000 / size);
  places.erase(places.find_last_not_of('0') + 1);
  if (places.size() > 1) {
    text += '.' + places.substr(1);
  }
  return text + name;
}

std::string quoted(std::string_view name) {
  return '"' + std::string(name) + '"';
}

}  // namespace coppice::inline v0::detail
