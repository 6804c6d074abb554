#include "tests/model/weakening.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
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
    const int which = number.get();
    one.of = which == 'a' ? lack::the_release : which == 'x' ? lack::the_write : lack::a_step;
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

std::memory_order weaker(std::memory_order order, part of, lack lacking) {
  switch (order) {
    case std::memory_order_seq_cst:
      return of == part::load    ? std::memory_order_acquire
             : of == part::store ? std::memory_order_release
                                 : std::memory_order_acq_rel;
    case std::memory_order_acq_rel:
      return lacking == lack::the_release ? std::memory_order_acquire : std::memory_order_release;
    default:
      return std::memory_order_relaxed;
  }
}

}  // namespace

void weaken(std::vector<weakening> these) {
  in_force() = std::move(these);
}

std::vector<order> orders_in(const std::string& file) {
  std::vector<order> all;
  const std::vector<std::string> lines = lines_of(text_of(file));
  for (std::size_t i = 0; i != lines.size(); ++i) {
    const std::size_t comment = lines[i].find("//");
    if (comment == std::string::npos ||
        lines[i].substr(0, comment).find("memory_order_") == std::string::npos ||
        lines[i].substr(0, comment).find("memory_order_relaxed") != std::string::npos) {
      continue;
    }
    order each{.weaker = {file, static_cast<unsigned>(i + 1)}, .labels = {}};
    std::istringstream words(lines[i].substr(comment + 2));
    for (std::string label; words >> label;) {
      each.labels.push_back(label);
    }
    all.push_back(each);
    if (lines[i].find("acq_rel") < comment) {
      each.weaker.of = lack::the_release;
      all.push_back(each);
    }
  }
  return all;
}

std::vector<weakening> labelled(const std::string& file, const std::string& label) {
  std::vector<weakening> these;
  for (const order& each : orders_in(file)) {
    if (std::find(each.labels.begin(), each.labels.end(), label) != each.labels.end()) {
      these.push_back(each.weaker);
    }
  }
  return these;
}

weakening without(const std::string& file, const std::string& beginning) {
  const std::vector<std::string> lines = lines_of(text_of(file));
  std::optional<weakening> found;
  for (std::size_t i = 0; i != lines.size(); ++i) {
    if (lines[i].find(beginning) != std::string::npos) {
      if (found) {
        throw std::runtime_error(file + ": '" + beginning + "' is there twice");
      }
      found = {file, static_cast<unsigned>(i + 1), lack::the_write};
    }
  }
  if (!found) {
    throw std::runtime_error(file + ": there is no '" + beginning + "'");
  }
  return *found;
}

std::string text_at(const weakening& order) {
  const std::string line = lines_of(text_of(order.file)).at(order.line - 1);
  const std::string code = line.substr(0, line.find("//"));
  const std::size_t begin = code.find_first_not_of(' ');
  const std::string text = code.substr(begin, code.find_last_not_of(' ') + 1 - begin);
  return order.of == lack::the_release ? text + " as acquire"
         : order.of == lack::the_write ? text + " left out"
                                       : text;
}

std::memory_order order_of(std::memory_order order, part of, const site& where, std::size_t which) {
  if (in_force().empty() || order == std::memory_order_relaxed) {
    return order;
  }
  const call_lines& lines = orders_at(where);
  const unsigned line = which == 0 || lines.second == 0 ? lines.first : lines.second;
  for (const weakening& each : in_force()) {
    if (each.line == line && each.of != lack::the_write &&
        std::string(where.file_name()).ends_with(each.file)) {
      return weaker(order, of, each.of);
    }
  }
  return order;
}

bool left_out(const site& where) {
  return std::any_of(in_force().begin(), in_force().end(), [&](const weakening& each) {
    return each.of == lack::the_write && each.line == where.line() &&
           std::string(where.file_name()).ends_with(each.file);
  });
}

}  // namespace coppice_model
