#include "executor/settings.h"

#include "executor/process_locks.h"

#include <coppice/error.h>

#include <absl/base/config.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <mutex>
#include <ostream>
#include <utility>

namespace coppice::inline v0::detail {
namespace {

using namespace std::chrono_literals;

// Something wrong with one variable.
struct complaint {
  std::string key;                 // The same for what need not be said twice.
  std::string text;                // A sentence without its end.
  const setting* about = nullptr;  // Null: the name is unknown.
};

struct environment {
  setting_values values;                         // `pin` points into the environment itself.
  std::array<bool, setting_count> present = {};  // Well set, if only to a word for the default.
  std::vector<complaint> complaints;
};

std::size_t index_of(const setting& which) noexcept {
  return static_cast<std::size_t>(&which - setting_table().data());
}

std::string refusal(const setting& which, std::string_view name, std::string_view value,
                    std::string_view why) {
  std::string text(name);
  text += '=' + quoted_text(value) + ' ';
  text += why;
  return text + "; accepted: " + range_text(which);
}

complaint unknown_name(std::string_view name) {
  std::string text = "there is no variable " + quoted_text(name);
  if (const std::string_view nearest = nearest_name(name); !nearest.empty()) {
    text += "; did you mean ";
    text += nearest;
    text += '?';
  }
  return {.key = std::string(name), .text = std::move(text)};
}

void read_variable(std::string_view name, std::string_view text, const cpu_list& affinity,
                   environment& into) {
  const setting* const which = find_setting(name);
  if (which == nullptr) {
    if (std::ranges::find(reserved_names(), name) == reserved_names().end()) {
      into.complaints.push_back(unknown_name(name));
    }
    return;
  }
  const reading<setting_value> read = read_setting(*which, text, affinity);
  if (!read.value) {
    into.complaints.push_back({.key = std::string(name) + '=' + std::string(text),
                               .text = refusal(*which, name, text, read.why),
                               .about = which});
    return;
  }
  bool& present = into.present[index_of(*which)];
  if (!present) {  // Of one name written twice the first counts, as it does for getenv.
    present = true;
    which->set(into.values, *read.value);
  }
}

environment read_environment(const cpu_list& affinity) {
  environment result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const std::size_t equals = line.find('=');
    const bool set = equals != std::string_view::npos && equals + 1 < line.size();
    if (set && line.starts_with("COPPICE_")) {
      read_variable(line.substr(0, equals), line.substr(equals + 1), affinity, result);
    }
  }
  return result;
}

// What is left of a value when operator<< must tell whether it has been changed.
std::uint32_t mark_of(const setting& which, const setting_value& value, setting_source from) {
  if (from == setting_source::code) {
    return 0;
  }
  const std::size_t hash = std::hash<std::string>()(value_text(which, value));
  return (static_cast<std::uint32_t>(hash) & ~3U) | static_cast<std::uint32_t>(from);
}

// A set field of options from code may itself come from an earlier runtime, or from_env().
setting_source marked_source(const setting& which, const setting_value& value,
                             const options& from_code) {
  const std::uint32_t mark = from_code.origins.marks[index_of(which)];
  for (const auto from : {setting_source::environment, setting_source::standard}) {
    if (mark == mark_of(which, value, from)) {
      return from;
    }
  }
  return setting_source::code;
}

void refuse_bad_code(const setting_values& code, const cpu_list& affinity) {
  for (const setting& each : setting_table()) {
    const setting_value value = each.get(code);
    // A default of an earlier runtime is good, whatever it is: the system's stack may be out of range.
    if (std::holds_alternative<std::monostate>(value) ||
        marked_source(each, value, code) == setting_source::standard) {
      continue;
    }
    if (const std::string_view why = why_refused(each, value, affinity); !why.empty()) {
      throw usage_error("coppice: options::" +
                        refusal(each, each.field, value_text(each, value), why));
    }
  }
}

std::size_t system_stack_size() noexcept {
  constexpr std::size_t fallback = std::size_t{8} << 20;
  std::size_t size = 0;
  pthread_attr_t attributes;
  if (pthread_getattr_default_np(&attributes) == 0) {
    pthread_attr_getstacksize(&attributes, &size);
    pthread_attr_destroy(&attributes);
  }
  return size == 0 ? fallback : size;
}

// The default as the table has it; nothing if it depends on the machine.
setting_value fixed_default(const setting& which, const cpu_list& affinity) {
  return which.exception.empty()
             ? read_setting(which, which.standard, affinity).value.value_or(setting_value())
             : setting_value();
}

// The other defaults, each after those it depends on.
void compute_defaults(settings& result) {
  options& all = result.effective;
  result.pin_plan =
      read_pin(all.pin.value_or("none"), result.supply.affinity).value.value_or(cpu_list());
  const std::size_t cpus =
      result.pin_plan.empty() ? result.supply.affinity.size() : result.pin_plan.size();
  if (!all.threads) {
    all.threads = automatic_workers(cpus, result.supply.quota);
  }
  if (!all.spin) {
    const auto workers = static_cast<double>(*all.threads);
    const bool crowded = cpus < *all.threads || result.supply.quota.value_or(workers) < workers;
    all.spin = crowded ? 0ns : 20us;
  }
  if (!all.stack_size) {
    all.stack_size = system_stack_size();
  }
}

settings merge(const setting_values& code, const environment& from_environment,
               const cpu_supply& supply) {
  settings result;
  result.supply = supply;
  setting_values merged;
  for (const setting& each : setting_table()) {
    const std::size_t i = index_of(each);
    setting_value value = each.get(code);
    if (!std::holds_alternative<std::monostate>(value)) {
      result.sources[i] = marked_source(each, value, code);
    } else if (from_environment.present[i]) {
      value = each.get(from_environment.values);
      result.sources[i] = setting_source::environment;
    } else {
      value = fixed_default(each, supply.affinity);
      result.sources[i] = setting_source::standard;
    }
    each.set(merged, value);
  }
  result.effective = merged;
  result.display_env = merged.display_env.value_or(display_mode::off);
  result.test_seed = merged.test_seed;
  result.pin_text = std::make_shared<const std::string>(merged.pin.value_or("none"));
  result.effective.pin = *result.pin_text;
  compute_defaults(result);
  return result;
}

setting_values values_of(const settings& resolved) {
  return {resolved.effective, resolved.display_env, resolved.test_seed};
}

void mark_origins(settings& resolved) {
  const setting_values values = values_of(resolved);
  for (const setting& each : setting_table()) {
    const std::size_t i = index_of(each);
    resolved.effective.origins.marks[i] = mark_of(each, each.get(values), resolved.sources[i]);
  }
}

std::string_view source_text(setting_source from) noexcept {
  switch (from) {
    case setting_source::code:
      return "code";
    case setting_source::environment:
      return "env";
    case setting_source::standard:
      break;
  }
  return "default";
}

// COPPICE_THREADS='2' [default]
std::string line_of(const setting& which, const settings& resolved) {
  std::string line(which.name);
  line += "='" + value_text(which, which.get(values_of(resolved))) + "' [";
  line += source_text(resolved.sources[index_of(which)]);
  return line + ']';
}

// Remembers in 64 bits what has been said. Neither allocates nor needs an end: a runtime may start
// while static objects die. When full it forgets nothing, but what is new is said every time.
bool said_before(const std::string& key) {
  static constinit std::array<std::size_t, 256> said = {};
  const std::size_t hash = std::hash<std::string>()(key) | 1U;
  const std::lock_guard lock(mutex_of(process_lock::complaints));
  for (std::size_t& each : said) {
    if (each == hash) {
      return true;
    }
    if (each == 0) {
      each = hash;
      return false;
    }
  }
  return false;
}

void warn(const complaint& about, settings& resolved) {
  std::string text = "coppice: " + about.text;
  if (about.about != nullptr) {
    const setting_value used = about.about->get(values_of(resolved));
    text += "; using " + value_text(*about.about, used) + " [";
    text += source_text(resolved.sources[index_of(*about.about)]);
    text += ']';
  }
  if (!said_before(about.key)) {
    std::fputs((text + '\n').c_str(), stderr);
  }
  resolved.warnings.push_back(std::move(text));
}

[[noreturn]] void refuse(const std::vector<complaint>& complaints) {
  std::string text = "coppice: COPPICE_STRICT, and";
  const char* separator = " ";
  for (const complaint& each : complaints) {
    text += separator + each.text;
    separator = "; and ";
  }
  throw usage_error(text);
}

settings resolve_with(const environment& from_environment, const options& from_code,
                      const cpu_supply& supply) {
  const setting_values code{from_code};
  refuse_bad_code(code, supply.affinity);
  settings result = merge(code, from_environment, supply);
  if (result.effective.strict == true && !from_environment.complaints.empty()) {
    refuse(from_environment.complaints);
  }
  for (const complaint& each : from_environment.complaints) {
    warn(each, result);
  }
  mark_origins(result);
  return result;
}

std::string compiler_text() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

}  // namespace

settings resolve(const options& from_code, const cpu_supply& supply) {
  return resolve_with(read_environment(supply.affinity), from_code, supply);
}

std::string display_text(const settings& resolved, std::string_view library_version) {
  const bool verbose = resolved.display_env == display_mode::verbose;
  std::string text = "coppice ";
  text += library_version;
  text += " (" + compiler_text() + ", glibc " + gnu_get_libc_version() + ", absl " +
          std::to_string(ABSL_LTS_RELEASE_VERSION) + ")\n";
  for (const setting& each : setting_table()) {
    if (each.in_effect) {
      text += "  " + line_of(each, resolved);
      if (verbose) {
        text += "  " + range_text(each) + ": " + std::string(each.meaning);
      }
      text += '\n';
    }
  }
  text += "  CPUs: " + std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) + " online, affinity " +
          cpu_list_text(resolved.supply.affinity) + ", quota ";
  char quota[32] = "none";
  if (resolved.supply.quota) {
    std::snprintf(quota, sizeof quota, "%.2f", *resolved.supply.quota);
  }
  return text + quota + '\n';
}

void display_at_start(const settings& resolved, std::string_view library_version) {
  if (resolved.display_env != display_mode::off) {
    std::fputs(display_text(resolved, library_version).c_str(), stderr);
  }
}

}  // namespace coppice::inline v0::detail

namespace coppice::inline v0 {

options options::from_env() {
  const detail::cpu_supply supply = detail::available_cpus();
  const detail::environment found = detail::read_environment(supply.affinity);
  const detail::settings all = detail::resolve_with(found, options(), supply);
  options result = found.values;
  result.origins = all.effective.origins;
  return result;
}

std::ostream& operator<<(std::ostream& out, const options& settings) {
  const detail::cpu_supply supply = detail::available_cpus();
  const detail::settings resolved = detail::merge(
      detail::setting_values{settings}, detail::read_environment(supply.affinity), supply);
  for (const detail::setting& each : detail::setting_table()) {
    if (each.in_effect && !each.field.empty()) {
      out << detail::line_of(each, resolved) << '\n';
    }
  }
  return out;
}

}  // namespace coppice::inline v0
