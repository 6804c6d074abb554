// How long does it take to say what 100 000 tasks are doing?
#include <algorithm>
#include <array>
#include <ostream>
#include <streambuf>

#include "bench/supervision/growing.h"
#include "bench/support/crowd.h"

namespace bench::supervision_suite {
namespace {

// Counts what it is given, and forgets it.
class counting_buffer : public std::streambuf {
 public:
  counting_buffer() { empty(); }
  std::size_t lines() {
    count();
    return lines_;
  }
  std::size_t bytes() {
    count();
    return bytes_;
  }

 private:
  int_type overflow(int_type next) override {
    count();
    if (!traits_type::eq_int_type(next, traits_type::eof())) {
      sputc(traits_type::to_char_type(next));
    }
    return traits_type::not_eof(next);
  }
  void empty() { setp(text_.data(), text_.data() + text_.size()); }
  void count() {
    lines_ += static_cast<std::size_t>(std::count(pbase(), pptr(), '\n'));
    bytes_ += static_cast<std::size_t>(pptr() - pbase());
    empty();
  }

  std::array<char, 4'096> text_;
  std::size_t lines_ = 0;
  std::size_t bytes_ = 0;
};

// What is asked of the runtime while so many tasks sleep, by one that does not.
using question = void (*)(std::size_t sleepers);

void list(std::size_t sleepers) {
  require(coppice::all_tasks().size() > sleepers, "a task is missing in the list");
}
void print_text(std::size_t sleepers) {
  counting_buffer counted;
  std::ostream out(&counted);
  coppice::dump_tasks(out);
  require(counted.lines() > sleepers, "a task is missing in the dump");
}
void print_json(std::size_t sleepers) {
  counting_buffer counted;
  std::ostream out(&counted);
  coppice::dump_tasks(out, coppice::dump_format::json);
  require(counted.bytes() > 20 * sleepers, "a task is missing in the dump");
}

// For each sleeper, the median of several.
task<double> ask(crowd& all, question ask_once, std::size_t times) {
  samples took(times);
  const auto body = [&](task_group& sleepers) -> task<> {
    for (std::size_t i = 0; i != all.size(); ++i) {
      sleepers.spawn(sleeper(all, i));
    }
    co_await until_asleep(all);
    while (!took.full()) {
      const auto begun = clock::now();
      ask_once(all.size());
      took.add(clock::now() - begun);
    }
    sleepers.cancel();
  };
  co_await coppice::with_group(body);
  took.sort();
  co_return took.percentile_ns(50) / static_cast<double>(all.size());
}

template <question Ask>
numbers dump(const setting& at) {
  runtime on(options_for(at, others::search));
  crowd all(100'000);
  const double ns = on.block_on(ask(all, Ask, at.quick ? 1 : 5));
  return numbers(ns).add("ms_whole", ns * static_cast<double>(all.size()) * 1e-6);
}

constexpr row rows[] = {
    {"dump/list/100000", 1, &dump<&list>},
    {"dump/text/100000", 1, &dump<&print_text>},
    {"dump/json/100000", 1, &dump<&print_json>},
};

}  // namespace

double ns_to_dump(runtime& on, std::size_t size) {
  crowd all(size);
  return on.block_on(ask(all, &print_text, 1));
}

std::span<const row> dump_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
