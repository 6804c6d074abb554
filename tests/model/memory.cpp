#include "tests/model/memory.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace coppice_model {

namespace {

constexpr word between_stamps = word{1} << 32;
constexpr std::size_t most_choices = 4;

bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

bool is_total(std::memory_order order) {
  return order == std::memory_order_seq_cst;
}

word read_memory(const place& from) {
  word value = 0;
  std::memcpy(&value, from.at, from.bytes);
  return value;
}

void write_memory(const place& to, word value) {
  std::memcpy(to.at, &value, to.bytes);
}

word changed(const place& of, change how, word before, word operand) {
  word after = operand;
  switch (how) {
    case change::exchange:
      break;
    case change::add:
      after = before + operand;
      break;
    case change::subtract:
      after = before - operand;
      break;
    case change::conjunction:
      after = before & operand;
      break;
    case change::disjunction:
      after = before | operand;
      break;
    case change::difference:
      after = before ^ operand;
      break;
  }
  return of.bytes == sizeof(word) ? after : after & ((word{1} << 8 * of.bytes) - 1);
}

}  // namespace

void view::see(std::size_t location, word stamp) {
  if (location >= stamps_.size()) {
    stamps_.resize(location + 1);
  }
  stamps_[location] = std::max(stamps_[location], stamp);
}

void view::join(const view& other) {
  if (other.stamps_.size() > stamps_.size()) {
    stamps_.resize(other.stamps_.size());
  }
  for (std::size_t i = 0; i != other.stamps_.size(); ++i) {
    stamps_[i] = std::max(stamps_[i], other.stamps_[i]);
  }
  for (std::size_t i = 0; i != most_threads; ++i) {
    clocks_[i] = std::max(clocks_[i], other.clocks_[i]);
  }
}

memory::location& memory::find(const place& of) {
  const auto [it, is_new] = names_.try_emplace(of.at, locations_.size());
  if (is_new) {
    locations_.push_back({.name = it->second});
    locations_.back().messages.push_back({between_stamps, read_memory(of), nullptr, false});
  }
  return locations_[it->second];
}

void memory::begin_life(std::size_t thread, const view& mine, const place& of) {
  names_.erase(of.at);
  location& fresh = find(of);
  fresh.born_by = thread;
  fresh.born_at = mine.clock_of(thread);
}

void memory::end_life(const view& mine, const place& of) {
  location& old = find(of);
  for (std::size_t i = 0; i != most_threads; ++i) {
    if (old.touched[i] > mine.clock_of(i)) {
      chooser_.fail("location " + std::to_string(old.name) +
                    " is destroyed, and nothing says that thread " + std::to_string(i) +
                    " has done with it");
    }
  }
  old.gone = true;
}

memory::location& memory::touch(std::size_t thread, const view& mine, const place& of) {
  location& used = find(of);
  if (used.gone) {
    chooser_.fail("location " + std::to_string(used.name) + " is used behind its destruction");
  }
  if (used.born_by != most_threads && used.born_at > mine.clock_of(used.born_by) &&
      !chooser_.is_first()) {
    chooser_.fail("location " + std::to_string(used.name) +
                  " is used, and nothing says that it has been initialized");
  }
  used.touched[thread] = mine.clock_of(thread);
  return used;
}

void memory::read(view& mine, location& from, const message& which, std::memory_order order) {
  mine.see(from.name, which.stamp);
  if (acquires(order) && which.carried != nullptr) {
    mine.join(*which.carried);
  }
  if (is_total(order)) {
    from.floor = std::max(from.floor, which.stamp);
  }
}

word memory::load(std::size_t thread, view& mine, const place& from, std::memory_order order) {
  location& at = touch(thread, mine, from);
  const word oldest = std::max(mine.stamp_of(at.name), is_total(order) ? at.floor : 0);
  std::size_t choices = 0;
  for (auto it = at.messages.rbegin(); it != at.messages.rend() && it->stamp >= oldest; ++it) {
    ++choices;
  }
  const std::size_t delay = choices > 1 ? chooser_.delay(std::min(choices, most_choices)) : 0;
  const message& found = at.messages[at.messages.size() - 1 - delay];
  read(mine, at, found, order);
  return found.value;
}

// What a store or update leaves behind the newest message.
void memory::append(view& mine, location& to, const place& at, word value, std::memory_order order,
                    std::shared_ptr<const view> inherited) {
  const word stamp = to.messages.back().stamp + between_stamps;
  mine.see(to.name, stamp);
  std::shared_ptr<const view> carried = std::move(inherited);
  if (releases(order)) {
    auto all = std::allocate_shared<view>(own_allocator<view>(), mine);
    if (carried != nullptr) {
      all->join(*carried);
    }
    carried = std::move(all);
  }
  if (is_total(order)) {
    to.floor = stamp;
  }
  to.messages.push_back({stamp, value, std::move(carried), false});
  write_memory(at, value);
}

// Before others that its thread has not seen, if it is delayed; but not between an update and what that has read.
void memory::store(std::size_t thread, view& mine, const place& to, word value,
                   std::memory_order order) {
  location& at = touch(thread, mine, to);
  const word oldest = std::max(mine.stamp_of(at.name), is_total(order) ? at.floor : 0);
  list<std::size_t> before;
  for (std::size_t i = at.messages.size(); i-- > 1 && at.messages[i].stamp > oldest;) {
    if (!at.messages[i - 1].followed && before.size() + 1 < most_choices) {
      before.push_back(i);
    }
  }
  const std::size_t delay = before.empty() ? 0 : chooser_.delay(before.size() + 1);
  if (delay == 0) {
    append(mine, at, to, value, order, nullptr);
    return;
  }
  const std::size_t later = before[delay - 1];
  const word stamp =
      at.messages[later - 1].stamp + (at.messages[later].stamp - at.messages[later - 1].stamp) / 2;
  mine.see(at.name, stamp);
  std::shared_ptr<const view> carried;
  if (releases(order)) {
    carried = std::allocate_shared<view>(own_allocator<view>(), mine);
  }
  if (is_total(order)) {
    at.floor = std::max(at.floor, stamp);
  }
  at.messages.insert(at.messages.begin() + static_cast<std::ptrdiff_t>(later),
                     {stamp, value, std::move(carried), false});
}

word memory::update(std::size_t thread, view& mine, const place& of, change how, word operand,
                    std::memory_order order) {
  location& at = touch(thread, mine, of);
  message& newest = at.messages.back();
  newest.followed = true;
  const word before = newest.value;
  const std::shared_ptr<const view> inherited = newest.carried;
  read(mine, at, newest, order);
  append(mine, at, of, changed(of, how, before, operand), order, inherited);
  return before;
}

// Where it succeeds it reads the newest; where it fails it is a load.
bool memory::compare_exchange(std::size_t thread, view& mine, const place& of, word& expected,
                              word desired, bool weak, std::memory_order success,
                              std::memory_order failure) {
  location& at = touch(thread, mine, of);
  const bool matches = at.messages.back().value == expected;
  const word oldest = std::max(mine.stamp_of(at.name), is_total(failure) ? at.floor : 0);
  list<std::size_t> failing;  // What it may read and fail.
  for (std::size_t i = at.messages.size();
       i-- > 0 && at.messages[i].stamp >= oldest && failing.size() + 1 < most_choices;) {
    if (at.messages[i].value != expected || (weak && i + 1 == at.messages.size())) {
      failing.push_back(i);
    }
  }
  const std::size_t choices = failing.size() + (matches ? 1 : 0);
  std::size_t choice = choices > 1 ? chooser_.delay(choices) : 0;
  if (matches && choice-- == 0) {
    message& newest = at.messages.back();
    newest.followed = true;
    const std::shared_ptr<const view> inherited = newest.carried;
    read(mine, at, newest, success);
    append(mine, at, of, desired, success, inherited);
    return true;
  }
  const message& found = at.messages[failing[choice]];
  read(mine, at, found, failure);
  expected = found.value;
  return false;
}

}  // namespace coppice_model
