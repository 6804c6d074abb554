#include <coppice/detail/error_tree.h>

#include <algorithm>
#include <ostream>
#include <vector>

#include "executor/wording.h"

namespace coppice::inline v0::detail {
namespace {

constexpr int max_indent = 64;  // Deeper lines stand below each other.
constexpr std::size_t max_depth = 64;

// One list of failures below another, and how far it is printed.
struct level {
  std::span<const error_entry> entries;
  std::size_t next;
  int indent;
  const char* what;  // Said before each: "", or "suppressed ".
};

class printer {
 public:
  printer(std::ostream& out, std::size_t max_leaves) : out_(out), leaves_left_(max_leaves) {}

  void print(const error_entry& root, int indent) {
    print_one(root, indent);
    while (!levels_.empty()) {
      level& here = levels_.back();
      if (here.next == here.entries.size()) {
        levels_.pop_back();
      } else if (leaves_left_ == 0) {
        begin(here.indent, "+- ") << "and " << std::to_string(here.entries.size() - here.next)
                                  << " more " << here.what << "not shown\n";
        levels_.pop_back();
      } else {
        const error_entry& entry = here.entries[here.next];
        const int indent_below = here.indent + 2;
        ++here.next;
        begin(here.indent, "+- ") << here.what << std::to_string(here.next) << " of "
                                  << std::to_string(here.entries.size()) << '\n';
        print_one(entry, indent_below);  // `here` is gone: this may add levels.
      }
    }
  }

 private:
  // The facts of one failure; what is below it becomes a level.
  void print_one(const error_entry& entry, int indent) {
    const auto* const tree = entry.get_if<error_tree>();
    lines(indent, thrown_description(entry.error()));
    print_task(entry, indent);
    print_notes(entry.notes(), indent);
    if (tree != nullptr) {
      print_notes(tree->tree_notes(), indent);
    }
    if (const cancel_reason* const context = entry.context()) {
      begin(indent, "| ") << "while being cancelled because " << *context << '\n';
    }
    descend(entry.suppressed(), indent, "suppressed ");
    if (tree != nullptr) {
      descend(tree->branches(), indent, "");
    } else if (leaves_left_ != 0) {
      --leaves_left_;
    }
  }

  void print_task(const error_entry& entry, int indent) {
    const std::string task = task_text(entry.id(), entry.name());
    const std::string site = site_text(entry.site());
    if (task.empty() && site.empty()) {
      return;
    }
    begin(indent, "| ") << "in " << (task.empty() ? "a task" : task);
    if (!site.empty()) {
      out_ << ", spawned at " << site;
      const char* const function = entry.site().function;
      if (function != nullptr && *function != '\0') {
        out_ << " (" << function << ')';
      }
    }
    out_ << '\n';
  }

  void print_notes(std::span<const std::string> notes, int indent) {
    for (const std::string& note : notes) {
      lines(indent, "note: " + note);
    }
  }

  void descend(std::span<const error_entry> entries, int indent, const char* what) {
    if (entries.empty()) {
      return;
    }
    if (levels_.size() < max_depth) {
      levels_.push_back({entries, 0, indent, what});
    } else {
      print_deepest(entries, indent);
    }
  }

  // Too deep to be shown level by level: says how deep the first leaf lies, and shows that.
  void print_deepest(std::span<const error_entry> entries, int indent) {
    std::size_t depth = 1;
    const error_entry* first = &entries.front();
    for (const auto* tree = first->get_if<error_tree>();
         tree != nullptr && !tree->branches().empty(); tree = first->get_if<error_tree>()) {
      first = &tree->branches().front();
      ++depth;
    }
    begin(indent, "+- ") << "the first failure, " << std::to_string(depth) << " levels below\n";
    lines(indent + 2, thrown_description(first->error()));
    print_task(*first, indent + 2);
    leaves_left_ -= leaves_left_ != 0 ? 1 : 0;
  }

  // A text of several lines, each with the mark before it.
  void lines(int indent, std::string_view text) {
    for (;;) {
      const std::size_t end = text.find('\n');
      begin(indent, "| ") << text.substr(0, end) << '\n';
      if (end == std::string_view::npos || end + 1 == text.size()) {
        return;
      }
      text.remove_prefix(end + 1);
    }
  }

  std::ostream& begin(int indent, const char* mark) {
    const auto width = static_cast<std::size_t>(std::clamp(indent, 0, max_indent));
    return out_ << std::string(width, ' ') << mark;
  }

  std::ostream& out_;
  std::vector<level> levels_;  // From the root down to what is being printed.
  std::size_t leaves_left_;
};

}  // namespace

error_tree::~error_tree() = default;

void print_entry(std::ostream& out, const error_entry& entry, int indent, std::size_t max_leaves) {
  printer(out, max_leaves).print(entry, indent);
}

}  // namespace coppice::inline v0::detail
