#include "tests/model/weakening.h"

#include <cstdlib>
#include <map>
#include <sstream>
#include <utility>

#include "tests/support/source_files.h"

namespace coppice_model {

namespace {

using coppice::testing_support::lines_of;
using coppice::testing_support::text_of;

std::vector<weakening> from_environment() {
  std::vector<weakening> these;
  const char* const text = std::getenv("MODEL_WEAKEN");
  std::istringstream list(text != nullptr ? text : "");
  for (std::string each; std::getline(list, each, ',');) {
    const std::size_t colon = each.find(':');
    weakening one{each.substr(0, colon)};
    std::istringstream number(each.substr(colon + 1));
    number >> one.line;
    one.acquire_only = number.get() == 'a';
    these.push_back(one);
  }
  return these;
}

std::vector<weakening>& in_force() {
  static auto* const these = new std::vector<weakening>(from_environment());
  return *these;
}

// The lines of a call's memory_orders, which begin at or behind the call's own.
struct call_lines {
  unsigned first = 0;
  unsigned second = 0;
};

const std::vector<std::string>& source(const char* file) {
  static auto* const sources = new std::map<std::string, std::vector<std::string>>;
  const auto [it, is_new] = sources->try_emplace(file);
  if (is_new) {
    it->second = lines_of(text_of(file));
  }
  return it->second;
}

call_lines find_orders(const site& where) {
  const std::vector<std::string>& lines = source(where.file_name());
  call_lines found;
  for (unsigned line = where.line(); line <= lines.size() && line < where.line() + 6; ++line) {
    const std::string& text = lines[line - 1];
    for (std::size_t at = text.find("memory_order"); at != std::string::npos;
         at = text.find("memory_order", at + 1)) {
      (found.first == 0 ? found.first : found.second) = line;
    }
    if (found.second != 0 || text.find(';') != std::string::npos) {
      break;
    }
  }
  return found;
}

using key = std::pair<const char*, unsigned>;

const call_lines& orders_at(const site& where) {
  static auto* const known = new std::map<key, call_lines>;
  const auto [it, is_new] = known->try_emplace(key(where.file_name(), where.line()));
  if (is_new) {
    it->second = find_orders(where);
  }
  return it->second;
}

std::memory_order weaker(std::memory_order order, part of, bool acquire_only) {
  switch (order) {
    case std::memory_order_seq_cst:
      return of == part::load    ? std::memory_order_acquire
             : of == part::store ? std::memory_order_release
                                 : std::memory_order_acq_rel;
    case std::memory_order_acq_rel:
      return acquire_only ? std::memory_order_acquire : std::memory_order_release;
    default:
      return std::memory_order_relaxed;
  }
}

}  // namespace

void weaken(std::vector<weakening> these) {
  in_force() = std::move(these);
}

std::vector<weakening> labelled(const std::string& file, const std::string& label) {
  std::vector<weakening> these;
  const std::vector<std::string> lines = lines_of(text_of(file));
  for (std::size_t i = 0; i != lines.size(); ++i) {
    const std::size_t comment = lines[i].find("//");
    if (comment == std::string::npos ||
        lines[i].substr(0, comment).find("memory_order") == std::string::npos) {
      continue;
    }
    std::istringstream words(lines[i].substr(comment + 2));
    for (std::string each; words >> each;) {
      if (each == label) {
        these.push_back({file, static_cast<unsigned>(i + 1)});
        if (lines[i].find("acq_rel") < comment) {
          these.push_back({file, static_cast<unsigned>(i + 1), true});
        }
        break;
      }
    }
  }
  return these;
}

std::string text_at(const weakening& order) {
  const std::string line = lines_of(text_of(order.file)).at(order.line - 1);
  const std::string code = line.substr(0, line.find("//"));
  const std::size_t begin = code.find_first_not_of(' ');
  const std::string text = code.substr(begin, code.find_last_not_of(' ') + 1 - begin);
  return order.acquire_only ? text + " as acquire" : text;
}

std::memory_order order_of(std::memory_order order, part of, const site& where, std::size_t which) {
  if (in_force().empty() || order == std::memory_order_relaxed) {
    return order;
  }
  const call_lines& lines = orders_at(where);
  const unsigned line = which == 0 || lines.second == 0 ? lines.first : lines.second;
  for (const weakening& each : in_force()) {
    if (each.line == line && std::string(where.file_name()).ends_with(each.file)) {
      return weaker(order, of, each.acquire_only);
    }
  }
  return order;
}

}  // namespace coppice_model
