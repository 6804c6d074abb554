#include <coppice/detail/thrown.h>

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace coppice::inline v0::detail {
namespace {

constexpr std::size_t kept_pointers = 16;

// Trivial, so that it lives as long as its thread. Bytes, since each place holds another type of
// pointer.
struct pointer_ring {
  struct alignas(void*) place {
    unsigned char bytes[sizeof(void*)];
  };
  place places[kept_pointers];
  std::size_t next;
};
constinit thread_local pointer_ring converted_pointers{};

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

// The text of what a program may throw instead of an exception class.
template <class T>
bool write_if(const std::exception_ptr& error, std::string& text) {
  const T* const value = thrown_as<T>(error);
  if (value == nullptr) {
    return false;
  }
  if constexpr (std::is_same_v<T, const char*>) {
    text = *value != nullptr ? *value : "null";
  } else if constexpr (std::is_same_v<T, bool>) {
    text = *value ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, char>) {
    text = std::to_string(*value);
  } else {
    text = *value;
  }
  return true;
}

template <class... T>
std::optional<std::string> text_of_any(const std::exception_ptr& error) {
  std::string text;
  if ((write_if<T>(error, text) || ...)) {
    return text;
  }
  return std::nullopt;
}

std::optional<std::string> plain_text(const std::exception_ptr& error) {
  return text_of_any<int, const char*, std::string, bool, char, short, long, long long, unsigned,
                     unsigned short, unsigned long, unsigned long long, float, double,
                     std::string_view>(error);
}

const char* what(const std::exception_ptr& error) noexcept {
  const auto* const exception = thrown_as<std::exception>(error);
  const char* const text = exception != nullptr ? exception->what() : nullptr;
  return text != nullptr ? text : "";
}

}  // namespace

const std::type_info* thrown_type(const std::exception_ptr& error) noexcept {
  return error ? error.__cxa_exception_type() : nullptr;
}

const void* thrown_object(const std::exception_ptr& error) noexcept {
  // An exception_ptr is, by the ABI that shared objects agree on, the address of the thrown object.
  static_assert(sizeof(std::exception_ptr) == sizeof(void*));
  const void* object = nullptr;
  std::memcpy(static_cast<void*>(&object), static_cast<const void*>(&error), sizeof object);
  return object;
}

bool catches(const std::type_info& handler, const std::exception_ptr& error,
             const void** object) noexcept {
  const std::type_info* const type = thrown_type(error);
  if (type == nullptr) {
    return false;
  }
  void* adjusted = const_cast<void*>(thrown_object(error));
  if (type->__is_pointer_p()) {
    // A pointer is caught by value.
    std::memcpy(static_cast<void*>(&adjusted), adjusted, sizeof adjusted);
  }
  if (!handler.__do_catch(type, &adjusted, 1)) {
    return false;
  }
  if (object != nullptr) {
    *object = adjusted;
  }
  return true;
}

const void* keep_converted_pointer(const void* value) noexcept {
  pointer_ring& ring = converted_pointers;
  unsigned char* const kept = ring.places[ring.next++ % kept_pointers].bytes;
  std::memcpy(kept, static_cast<const void*>(&value), sizeof value);
  return kept;
}

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  if (demangled == nullptr) {
    return type.name();
  }
  std::string name = demangled.get();
  replace_all(name, "coppice::v0::", "coppice::");
  replace_all(name,
              "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
              "std::string");
  replace_all(name, "std::__cxx11::", "std::");
  return name;
}

std::string thrown_message(const std::exception_ptr& error) {
  if (!error) {
    return {};
  }
  const char* const text = what(error);
  return *text != '\0' ? text : type_name(*thrown_type(error));
}

std::string thrown_description(const std::exception_ptr& error) {
  if (!error) {
    return "no exception";
  }
  std::string text = what(error);
  if (text.empty()) {
    text = plain_text(error).value_or(std::string());
  }
  const std::string name = type_name(*thrown_type(error));
  return text.empty() ? name : name + ": " + text;
}

}  // namespace coppice::inline v0::detail
