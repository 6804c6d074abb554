#include "tests/model/decisions.h"

#include <algorithm>
#include <sstream>

namespace coppice_model {

void decisions::note(std::size_t choice) {
  made_.push_back(static_cast<std::uint8_t>(choice));
}

// "12:1.0:2": the first choice twelve times, then the second once; then at once the third. First choices follow.
std::string decisions::schedule() const {
  std::string text;
  std::size_t first_choices = 0;
  for (const std::uint8_t choice : made_) {
    if (choice == 0) {
      ++first_choices;
      continue;
    }
    text +=
        (text.empty() ? "" : ".") + std::to_string(first_choices) + ":" + std::to_string(choice);
    first_choices = 0;
  }
  return text.empty() ? "0:0" : text;
}

// ---- search -------------------------------------------------------------------------------------

int& search::left_of(decision kind) {
  return kind == decision::preempt ? left_.preemptions
         : kind == decision::delay ? left_.delays
                                   : left_.freezes;
}

std::size_t search::decide(decision kind, std::size_t choices) {
  if (at_ == path_.size()) {
    const bool affordable = kind == decision::turn || (left_of(kind) > 0 && left_.together > 0);
    path_.push_back({0, static_cast<std::uint8_t>(choices),
                     static_cast<std::uint8_t>(affordable ? choices : 1), kind});
  }
  const step& next = path_[at_++];
  if (next.choices != choices || next.kind != kind) {
    repeatable_ = false;
    return 0;
  }
  if (kind != decision::turn && next.taken != 0) {
    --left_of(kind);
    --left_.together;
  }
  note(next.taken);
  return next.taken;
}

bool search::advance() {
  while (!path_.empty() && path_.back().taken + 1 == path_.back().limit) {
    path_.pop_back();
  }
  if (path_.empty()) {
    return false;
  }
  ++path_.back().taken;
  at_ = 0;
  left_ = within_;
  forget();
  return true;
}

// ---- chance -------------------------------------------------------------------------------------

chance::chance(std::uint64_t seed, const budget& within, std::size_t steps)
    : random_(seed), left_(within), steps_(std::max<std::size_t>(steps, 1)) {
  const std::size_t count = 1 + below(4);
  for (std::size_t i = 0; i != count; ++i) {
    changes_.push_back(below(steps_));
  }
  delay_one_in_ = std::size_t{2} << 2 * below(4);
}

std::int64_t& chance::priority_of(std::size_t thread) {
  while (priorities_.size() <= thread) {
    priorities_.push_back(1 + static_cast<std::int64_t>(below(1'000'000)));
  }
  return priorities_[thread];
}

void chance::yielded(std::size_t thread) {
  priority_of(thread) = --lowest_;
}

std::size_t chance::decide(decision kind, std::size_t choices) {
  std::size_t choice = 0;
  if (kind == decision::delay && left_.delays > 0 && below(delay_one_in_) == 0) {
    choice = below(choices);
  } else if (kind == decision::freeze && left_.freezes > 0 && below(steps_) < 4) {
    choice = 1;
    --left_.freezes;
  }
  note(choice);
  return choice;
}

std::size_t chance::decide_turn(decision kind, std::span<const std::size_t> threads) {
  if (std::find(changes_.begin(), changes_.end(), taken_++) != changes_.end() &&
      kind == decision::preempt) {
    yielded(threads[0]);
  }
  std::size_t best = 0;
  for (std::size_t i = 1; i != threads.size(); ++i) {
    if (priority_of(threads[i]) > priority_of(threads[best])) {
      best = i;
    }
  }
  note(best);
  return best;
}

// ---- replay -------------------------------------------------------------------------------------

replay::replay(const std::string& schedule) {
  std::istringstream text(schedule);
  for (std::string part; std::getline(text, part, '.');) {
    std::istringstream pair(part);
    std::size_t first_choices = 0;
    unsigned choice = 0;
    char colon = 0;
    if (pair >> first_choices >> colon >> choice) {
      to_make_.insert(to_make_.end(), first_choices, 0);
      to_make_.push_back(static_cast<std::uint8_t>(choice));
    }
  }
}

std::size_t replay::decide(decision /*kind*/, std::size_t choices) {
  const std::size_t choice = at_ < to_make_.size() ? to_make_[at_] : 0;
  ++at_;
  if (choice >= choices) {
    repeatable_ = false;
    return 0;
  }
  note(choice);
  return choice;
}

}  // namespace coppice_model
