// Makes a report of what suites have measured: a page of HTML, a summary on standard output.
//
//     bench_report [--html FILE] [--json FILE] [--compare OLD.json] RESULTS.json...
//
// RESULTS are Google Benchmark's JSON, as the suites write it for --benchmark_out; --json joins them into one.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bench/report/changes.h"
#include "bench/report/page.h"
#include "bench/report/results.h"
#include "bench/report/summary.h"

namespace {

using namespace bench::report;

struct wishes {
  std::string html;
  std::string json;
  std::string compare;
  std::vector<std::string> results;
};

class usage_error : public std::runtime_error {
 public:
  explicit usage_error(const std::string& what) : std::runtime_error(what) {}
};

wishes wishes_of(std::span<char* const> arguments) {
  wishes all;
  for (std::size_t i = 0; i != arguments.size(); ++i) {
    const std::string_view given = arguments[i];
    std::string* file = given == "--html"      ? &all.html
                        : given == "--json"    ? &all.json
                        : given == "--compare" ? &all.compare
                                               : nullptr;
    if (file == nullptr && given.starts_with('-')) {
      throw usage_error(std::string(given) + " is unknown");
    }
    if (file == nullptr) {
      file = &all.results.emplace_back();
    } else if (++i == arguments.size()) {
      throw usage_error(std::string(given) + " needs the name of a file");
    }
    *file = arguments[i];
  }
  if (all.results.empty()) {
    throw usage_error("there are no results to report on");
  }
  return all;
}

source contents(const std::string& file) {
  if (std::filesystem::is_directory(file)) {
    throw std::runtime_error(file + ": is a directory");
  }
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  source read = {file, {std::istreambuf_iterator<char>(in), {}}};
  if (!in) {
    throw std::runtime_error(file + ": cannot be read: " + std::strerror(errno));
  }
  return read;
}

void write(const std::string& file, const std::string& text) {
  errno = 0;
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out) {
    throw std::runtime_error(file + ": cannot be written: " + std::strerror(errno));
  }
}

// Everything is read before anything is written: the run to compare with may be what is written over.
void report(const wishes& wanted) {
  std::vector<source> files;
  for (const std::string& file : wanted.results) {
    files.push_back(contents(file));
  }
  const source joined = {wanted.results.size() == 1 ? wanted.results.front() : "the results joined",
                         join(files)};
  const results all = parse(joined);
  std::optional<changes> since;
  if (!wanted.compare.empty()) {
    since = compare(parse(contents(wanted.compare)), all);
  }
  const changes* const found = since ? &*since : nullptr;
  if (!wanted.json.empty()) {
    write(wanted.json, joined.text);
  }
  if (!wanted.html.empty()) {
    write(wanted.html, page(all, found));
  }
  std::fputs(summary(all, found).c_str(), stdout);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    report(wishes_of(std::span<char* const>(argv + 1, argv + argc)));
    return 0;
  } catch (const usage_error& error) {
    std::fprintf(stderr,
                 "bench_report: %s\nusage: bench_report [--html FILE] [--json FILE] [--compare "
                 "OLD.json] RESULTS.json...\n",
                 error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_report: %s\n", error.what());
  }
  return 2;
}
