// What an overseer has been told and has not dealt with yet, in order of arrival.
#pragma once

namespace coppice::inline v0::detail {

class specified_child;

// Lies in what it tells of, so that to tell of an end asks for no memory.
class message {
 public:
  enum class about { end, next_try, call };

  explicit message(about what, specified_child* child = nullptr) noexcept
      : what_(what), child_(child) {}
  message(const message&) = delete;
  message& operator=(const message&) = delete;

  about what() const noexcept { return what_; }
  specified_child* child() const noexcept { return child_; }  // Null for a call.
  bool queued() const noexcept { return next_ != nullptr; }

 private:
  friend class message_queue;

  const about what_;
  specified_child* const child_;
  message* next_ = nullptr;  // Null: in no queue.
  message* previous_ = nullptr;
};

// Under the overseer's lock.
class message_queue {
 public:
  message_queue() noexcept {
    ends_.next_ = &ends_;
    ends_.previous_ = &ends_;
  }

  bool empty() const noexcept { return ends_.next_ == &ends_; }

  void push(message& last) noexcept {
    last.previous_ = ends_.previous_;
    last.next_ = &ends_;
    last.previous_->next_ = &last;
    ends_.previous_ = &last;
  }

  // Null if there is none.
  message* pop() noexcept {
    message* const first = ends_.next_;
    if (first == &ends_) {
      return nullptr;
    }
    remove(*first);
    return first;
  }

  // If it is there.
  void remove(message& each) noexcept {
    if (each.queued()) {
      each.previous_->next_ = each.next_;
      each.next_->previous_ = each.previous_;
      each.next_ = nullptr;
    }
  }

 private:
  struct ends final : message {
    ends() noexcept : message(about::call) {}
  };

  ends ends_;  // Behind the last and before the first.
};

}  // namespace coppice::inline v0::detail
