#include "tests/model/explorer.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

namespace coppice_model {

namespace {

constexpr std::size_t longest_trace = 400;

// What a process that explores writes to its parent: of the last execution too, if it crashes.
struct reporter {
  int to = -1;
  std::size_t executions = 0;
  bool searched_all = false;
  decisions* deciding = nullptr;
  execution* running = nullptr;

  void report(const std::string& wrong) const {
    std::string text = std::to_string(executions) + ' ' + (searched_all ? '1' : '0') + ' ' +
                       (deciding != nullptr ? deciding->schedule() : "0:0") + '\n' + wrong + '\n';
    if (running != nullptr) {
      const std::vector<std::string>& trace = running->trace();
      const std::size_t skipped = trace.size() - std::min(trace.size(), longest_trace);
      for (std::size_t i = skipped; i != trace.size(); ++i) {
        text += trace[i] + '\n';
      }
    }
    for (std::size_t written = 0; written != text.size();) {
      const ssize_t n = write(to, text.data() + written, text.size() - written);
      if (n <= 0) {
        return;
      }
      written += static_cast<std::size_t>(n);
    }
  }
};
reporter reporting;

void report_crash(int signal) {
  execution::abandon();
  reporting.report(std::string("ended by signal ") + std::to_string(signal) + " (" +
                   strsignal(signal) + ")");
  _exit(0);
}

void report_crashes() {
  static std::array<char, std::size_t{256} * 1024> stack_of_handlers;
  stack_t stack{};
  stack.ss_sp = stack_of_handlers.data();
  stack.ss_size = stack_of_handlers.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_handler = &report_crash;
  action.sa_flags = SA_ONSTACK;
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
    sigaction(signal, &action, nullptr);
  }
}

// False if something is wrong, which has been reported.
bool execute(const std::function<void()>& model, const std::function<void()>& before,
             decisions& deciding, const limits& within, std::size_t& steps) {
  before();
  execution run(deciding, within);
  reporting.deciding = &deciding;
  reporting.running = &run;
  const std::optional<std::string> wrong = run.run(model);
  steps = run.steps();
  if (wrong) {
    reporting.report(*wrong);
  }
  reporting.running = nullptr;
  reporting.deciding = nullptr;
  return !wrong;
}

// What an execution finds in place may have been made by the first.
bool warm_up(const std::function<void()>& model, const exploration& how, std::size_t& steps) {
  for (const bool is_first : {true, false}) {
    search first(budget{0, 0, 0, 0});
    limits within = how.of_each;
    within.first = is_first;
    if (!execute(model, how.before, first, within, steps)) {
      return false;
    }
  }
  return true;
}

void explore_here(const std::function<void()>& model, const exploration& how) {
  std::size_t steps = 0;
  if (!warm_up(model, how, steps)) {
    return;
  }
  bool searched_all = false;
  // What takes little first: a search that is cut off should not have spent itself at the end of the first execution.
  for (int together = 0;
       together <= how.within.together && reporting.executions < how.most_searched; ++together) {
    budget within = how.within;
    within.together = together;
    search each(within);
    searched_all = false;
    while (reporting.executions < how.most_searched) {
      ++reporting.executions;
      if (!execute(model, how.before, each, how.of_each, steps)) {
        return;
      }
      if (!each.advance()) {
        searched_all = true;
        break;
      }
    }
  }
  reporting.searched_all = searched_all;
  for (std::size_t i = 0; i != how.drawn; ++i) {
    ++reporting.executions;
    budget within = how.within;
    within.delays = how.within.delays == 0 ? 0 : 1'000;
    chance drawn(i + 1, within, steps);
    if (!execute(model, how.before, drawn, how.of_each, steps)) {
      return;
    }
  }
  reporting.report("");
}

finding in_own_process(const std::function<void()>& work) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    return {.wrong = "no pipe"};
  }
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    reporting.to = ends[1];
    report_crashes();
    work();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  finding found;
  std::istringstream lines(text);
  if (!(lines >> found.executions >> found.searched_all >> found.schedule)) {
    return {.wrong = "the exploring process ended without a word"};
  }
  lines.ignore(1);
  std::getline(lines, found.wrong);
  for (std::string line; std::getline(lines, line);) {
    found.trace += "  " + line + '\n';
  }
  return found;
}

finding replay_schedule(const std::function<void()>& model, const exploration& how,
                        const std::string& schedule) {
  exploration traced = how;
  traced.of_each.traced = true;
  return in_own_process([&] {
    std::size_t steps = 0;
    if (!warm_up(model, traced, steps)) {
      return;
    }
    replay again(schedule);
    if (execute(model, traced.before, again, traced.of_each, steps)) {
      reporting.report("");
    }
  });
}

}  // namespace

finding explore(const std::string& name, const std::function<void()>& model,
                const exploration& how) {
  if (const char* const asked = std::getenv("MODEL_SCHEDULE")) {
    const std::string text = asked;
    const std::size_t space = text.rfind(' ');
    if (text.substr(0, space) != name) {
      return {};
    }
    finding found = replay_schedule(model, how, text.substr(space + 1));
    found.schedule = text.substr(space + 1);
    std::cout << found.trace << "  " << (found ? found.wrong : "nothing is wrong") << '\n';
    return found;
  }
  finding found = in_own_process([&] { explore_here(model, how); });
  if (found) {
    found.trace = replay_schedule(model, how, found.schedule).trace;
  }
  return found;
}

void require(bool condition, const char* what) {
  if (!condition) {
    execution::current()->fail(what);
  }
}

}  // namespace coppice_model
