// Who decides, wherever an execution could go on in several ways: a search, chance, or a schedule to be replayed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace coppice_model {

// What there is to decide. The first choice is what would come without weak memory and preemption; the others cost
// one of their kind's budget.
enum class decision : std::uint8_t {
  turn,     // Whose turn it is, where the last cannot go on. Free.
  preempt,  // The same, where it could.
  delay,    // What a load sees, or where a store goes.
  freeze,   // Whether a thread stops here until all others have ended.
};

struct budget {
  int preemptions = 2;
  int delays = 1;
  int freezes = 0;
  int together = 3;
};

class decisions {
 public:
  decisions() = default;
  decisions(const decisions&) = delete;
  decisions& operator=(const decisions&) = delete;
  virtual ~decisions() = default;

  // Less than `choices`, which is more than 1.
  virtual std::size_t decide(decision kind, std::size_t choices) = 0;

  // Which of these threads goes on; the first is the one that did, if `kind` is preempt.
  virtual std::size_t decide_turn(decision kind, std::span<const std::size_t> threads) {
    return decide(kind, threads.size());
  }

  // That thread waits in vain, so that others should come first.
  virtual void yielded(std::size_t /*thread*/) {}

  // False if the execution went another way than before, under the same decisions.
  virtual bool repeatable() const { return true; }

  // As one word: how many first choices, then another one, and so on.
  std::string schedule() const;

 protected:
  void note(std::size_t choice);

 private:
  std::vector<std::uint8_t> made_;

 protected:
  void forget() { made_.clear(); }
};

// Depth first, through all that the budget allows.
class search final : public decisions {
 public:
  explicit search(const budget& within) : within_(within) {}

  std::size_t decide(decision kind, std::size_t choices) override;
  bool repeatable() const override { return repeatable_; }

  // To the next execution; false if there is none.
  bool advance();

 private:
  struct step {
    std::uint8_t taken;
    std::uint8_t choices;
    std::uint8_t limit;  // Of those that the budget allows.
    decision kind;
  };

  int& left_of(decision kind);

  const budget within_;
  budget left_ = within_;
  std::vector<step> path_;
  std::size_t at_ = 0;
  bool repeatable_ = true;
};

// Priorities by chance, which change at a few moments (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010), and
// delays now and then.
class chance final : public decisions {
 public:
  // `steps`: about how many an execution has.
  chance(std::uint64_t seed, const budget& within, std::size_t steps);

  std::size_t decide(decision kind, std::size_t choices) override;
  std::size_t decide_turn(decision kind, std::span<const std::size_t> threads) override;
  void yielded(std::size_t thread) override;

 private:
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }
  std::int64_t& priority_of(std::size_t thread);

  std::mt19937_64 random_;
  budget left_;
  std::vector<std::int64_t> priorities_;
  std::vector<std::size_t> changes_;
  std::size_t steps_;
  std::size_t taken_ = 0;
  std::int64_t lowest_ = 0;
  std::size_t delay_one_in_;
};

class replay final : public decisions {
 public:
  explicit replay(const std::string& schedule);
  std::size_t decide(decision kind, std::size_t choices) override;
  bool repeatable() const override { return repeatable_; }

 private:
  std::vector<std::uint8_t> to_make_;
  std::size_t at_ = 0;
  bool repeatable_ = true;
};

}  // namespace coppice_model
