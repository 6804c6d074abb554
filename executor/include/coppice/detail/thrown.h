// What an exception_ptr holds, read without a throw.
//
// A rethrow and catch costs hundreds of nanoseconds and contends; asking the run-time type
// information what a catch clause would ask costs a dozen. The question is the one the C++ ABI
// itself puts while it unwinds (type_info::__do_catch), so bases, virtual ones too, ambiguity,
// access and pointer conversions are decided exactly as for a catch.
#pragma once

#include <coppice/detail/export.h>

#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>

namespace coppice::inline v0::detail {

// The dynamic type; null for a null pointer.
COPPICE_EXPORT const std::type_info* thrown_type(const std::exception_ptr& error) noexcept;

// The object itself, whatever its type; null for a null pointer.
COPPICE_EXPORT const void* thrown_object(const std::exception_ptr& error) noexcept;

// Would `catch (handler&)` take it? If so, and `object` is not null, *object is where the handler's
// object lies; for a handler of pointer type it is the pointer's value.
COPPICE_EXPORT bool catches(const std::type_info& handler, const std::exception_ptr& error,
                            const void** object = nullptr) noexcept;

// Keeps the value of a converted pointer for this thread, and says where; see thrown_as.
COPPICE_EXPORT const void* keep_converted_pointer(const void* value) noexcept;

// The exception as E; null if catch (const E&) would not take it. Valid while the exception lives.
// But if E is a pointer type to which the thrown pointer must be converted, no such pointer exists
// in the exception: the result is then a copy, valid for the next fifteen of such calls on this
// thread.
template <class E>
const E* thrown_as(const std::exception_ptr& error) noexcept {
  static_assert(std::is_same_v<E, std::remove_cvref_t<E>>,
                "coppice: E is an object type without const");
  const void* object = nullptr;
  if (!catches(typeid(E), error, &object)) {
    return nullptr;
  }
  if constexpr (std::is_pointer_v<E>) {
    object =
        *thrown_type(error) == typeid(E) ? thrown_object(error) : keep_converted_pointer(object);
  }
  return static_cast<const E*>(object);
}

// A type's name as it is written in the source, near enough.
COPPICE_EXPORT std::string type_name(const std::type_info& type);

// what(), or the type's name if there is none; empty for a null pointer.
COPPICE_EXPORT std::string thrown_message(const std::exception_ptr& error);

// Type and text on one line: "std::out_of_range: no such key", "int: 42". For a null pointer: "no
// exception".
COPPICE_EXPORT std::string thrown_description(const std::exception_ptr& error);

}  // namespace coppice::inline v0::detail
