#include <coppice/detail/thrown.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

namespace coppice::detail {
namespace {

using testing::EndsWith;
using testing::StartsWith;

// What a throw of it leaves, as a task finds it.
template <class T>
std::exception_ptr thrown(T value) {
  try {
    throw value;
  } catch (...) {
    return std::current_exception();
  }
}

struct first {
  int one = 1;
  virtual ~first() = default;
};
struct second {
  int two = 2;
  virtual ~second() = default;
};
struct both : first, second {
  int three = 3;
};
struct root {
  int zero = 10;
  virtual ~root() = default;
};
struct left : virtual root {
  int l = 11;
};
struct right : virtual root {
  int r = 12;
};
struct diamond : left, right {
  int d = 13;
};
struct left_copy : root {};
struct right_copy : root {};
struct ambiguous : left_copy, right_copy {};
class private_heir : first {};
struct plain {
  int value = 5;
};
struct plain_heir : plain {};
struct silent : std::exception {
  const char* what() const noexcept override { return ""; }
};
struct nameless : std::exception {
  const char* what() const noexcept override { return nullptr; }
};
enum class colour { red, green };

TEST(Thrown, ANullPointerHoldsNothing) {
  const std::exception_ptr none;
  EXPECT_EQ(thrown_type(none), nullptr);
  EXPECT_EQ(thrown_object(none), nullptr);
  EXPECT_FALSE(catches(typeid(int), none));
  EXPECT_EQ(thrown_as<std::exception>(none), nullptr);
  EXPECT_EQ(thrown_as<const char*>(none), nullptr);
  EXPECT_EQ(thrown_message(none), "");
  EXPECT_EQ(thrown_description(none), "no exception");
}

TEST(Thrown, TheTypeIsTheDynamicOne) {
  EXPECT_EQ(*thrown_type(thrown(std::out_of_range(""))), typeid(std::out_of_range));
  EXPECT_EQ(*thrown_type(thrown(42)), typeid(int));
  EXPECT_EQ(*thrown_type(std::make_exception_ptr(both())), typeid(both));
}

TEST(Thrown, AnExceptionIsFoundAsEachOfItsBases) {
  const std::exception_ptr error = thrown(std::out_of_range("no such key"));
  ASSERT_NE(thrown_as<std::out_of_range>(error), nullptr);
  ASSERT_NE(thrown_as<std::logic_error>(error), nullptr);
  ASSERT_NE(thrown_as<std::exception>(error), nullptr);
  EXPECT_STREQ(thrown_as<std::exception>(error)->what(), "no such key");
  EXPECT_EQ(thrown_as<std::runtime_error>(error), nullptr);
  EXPECT_EQ(thrown_as<int>(error), nullptr);
}

TEST(Thrown, TheResultIsTheObjectThatACatchWouldSee) {
  const std::exception_ptr error = thrown(both());
  const second* caught = nullptr;
  try {
    std::rethrow_exception(error);
  } catch (const second& object) {
    caught = &object;
  }
  EXPECT_EQ(thrown_as<second>(error), caught);
  EXPECT_EQ(thrown_as<second>(error)->two, 2);
  EXPECT_EQ(thrown_as<first>(error)->one, 1);
  EXPECT_EQ(thrown_as<both>(error)->three, 3);
}

TEST(Thrown, AVirtualBaseIsFoundWhereItLies) {
  const std::exception_ptr error = thrown(diamond());
  EXPECT_EQ(thrown_as<root>(error)->zero, 10);
  EXPECT_EQ(thrown_as<left>(error)->l, 11);
  EXPECT_EQ(thrown_as<right>(error)->r, 12);
  EXPECT_EQ(thrown_as<diamond>(error)->d, 13);
}

TEST(Thrown, AnAmbiguousOrPrivateBaseIsNone) {
  EXPECT_EQ(thrown_as<root>(thrown(ambiguous())), nullptr);
  EXPECT_NE(thrown_as<left_copy>(thrown(ambiguous())), nullptr);
  EXPECT_EQ(thrown_as<first>(thrown(private_heir())), nullptr);
  EXPECT_NE(thrown_as<private_heir>(thrown(private_heir())), nullptr);
}

TEST(Thrown, AClassNeedsNoVirtualFunctions) {
  ASSERT_NE(thrown_as<plain>(thrown(plain_heir())), nullptr);
  EXPECT_EQ(thrown_as<plain>(thrown(plain_heir()))->value, 5);
}

TEST(Thrown, AnyTypeCanBeThrown) {
  const std::exception_ptr number = thrown(42);
  EXPECT_EQ(*thrown_as<int>(number), 42);
  EXPECT_EQ(thrown_as<long>(number), nullptr);
  EXPECT_EQ(thrown_as<unsigned>(number), nullptr);
  EXPECT_EQ(*thrown_as<colour>(thrown(colour::green)), colour::green);
  EXPECT_EQ(thrown_as<int>(thrown(colour::green)), nullptr);
  EXPECT_EQ(*thrown_as<std::string>(thrown(std::string("text"))), "text");
  EXPECT_EQ(thrown_as<std::vector<int>>(thrown(std::vector<int>{1, 2}))->size(), 2u);
}

TEST(Thrown, APointerIsFoundByItsValue) {
  const std::exception_ptr text = thrown(static_cast<const char*>("oops"));
  ASSERT_NE(thrown_as<const char*>(text), nullptr);
  EXPECT_STREQ(*thrown_as<const char*>(text), "oops");
  EXPECT_EQ(thrown_as<const char*>(text), thrown_object(text)) << "no copy where none is needed";
  EXPECT_EQ(thrown_as<char*>(text), nullptr) << "a catch does not cast const away";
  ASSERT_NE(thrown_as<const void*>(text), nullptr);
  EXPECT_EQ(*thrown_as<const void*>(text), *thrown_as<const char*>(text));
  EXPECT_EQ(thrown_as<const int*>(text), nullptr);
}

TEST(Thrown, APointerIsConvertedAsInACatch) {
  both object;
  const std::exception_ptr error = thrown(&object);
  EXPECT_EQ(*thrown_as<both*>(error), &object);
  EXPECT_EQ(*thrown_as<first*>(error), static_cast<first*>(&object));
  EXPECT_EQ(*thrown_as<second*>(error), static_cast<second*>(&object));
  EXPECT_EQ(*thrown_as<const second*>(error), static_cast<const second*>(&object));
  EXPECT_EQ(thrown_as<root*>(error), nullptr);
  EXPECT_EQ(thrown_as<both>(error), nullptr) << "a pointer is not the object";
  diamond shared;
  EXPECT_EQ((*thrown_as<root*>(thrown(&shared)))->zero, 10);
}

TEST(Thrown, AConvertedPointerLastsForFifteenMore) {
  both objects[16];
  const second* const* kept[16];
  for (int i = 0; i != 16; ++i) {
    kept[i] = thrown_as<const second*>(thrown(&objects[i]));
  }
  for (int i = 0; i != 16; ++i) {
    EXPECT_EQ(*kept[i], static_cast<second*>(&objects[i]));
  }
}

TEST(Thrown, ANullOfPointerTypeIsStillCaught) {
  ASSERT_NE(thrown_as<both*>(thrown(static_cast<both*>(nullptr))), nullptr);
  EXPECT_EQ(*thrown_as<both*>(thrown(static_cast<both*>(nullptr))), nullptr);
  ASSERT_NE(thrown_as<second*>(thrown(static_cast<both*>(nullptr))), nullptr);
  EXPECT_EQ(*thrown_as<second*>(thrown(static_cast<both*>(nullptr))), nullptr);
  ASSERT_NE(thrown_as<int*>(thrown(nullptr)), nullptr);
  EXPECT_EQ(*thrown_as<int*>(thrown(nullptr)), nullptr);
}

int function(int value) noexcept {
  return value + 1;
}

TEST(Thrown, FunctionsAndMembersCanBePointedTo) {
  const std::exception_ptr error = thrown(&function);
  using pointer = int (*)(int) noexcept;
  using wider = int (*)(int);
  EXPECT_EQ((*thrown_as<pointer>(error))(1), 2);
  EXPECT_EQ((*thrown_as<wider>(error))(1), 2);
  const std::exception_ptr member = thrown(&plain::value);
  EXPECT_EQ(*thrown_as<int plain::*>(member), &plain::value);
}

TEST(Thrown, TheMessageIsTheTextOrTheNameOfTheType) {
  EXPECT_EQ(thrown_message(thrown(std::runtime_error("boom"))), "boom");
  EXPECT_EQ(thrown_message(thrown(42)), "int");
  EXPECT_THAT(thrown_message(thrown(silent())), EndsWith("::silent"));
  EXPECT_THAT(thrown_message(thrown(nameless())), EndsWith("::nameless"));
  EXPECT_THAT(thrown_message(thrown(both())), EndsWith("::both"));
}

TEST(Thrown, TheDescriptionHasTypeAndText) {
  EXPECT_EQ(thrown_description(thrown(std::runtime_error("boom"))), "std::runtime_error: boom");
  EXPECT_EQ(thrown_description(thrown(42)), "int: 42");
  EXPECT_EQ(thrown_description(thrown(-7L)), "long: -7");
  EXPECT_EQ(thrown_description(thrown(true)), "bool: true");
  EXPECT_EQ(thrown_description(thrown('x')), "char: x");
  EXPECT_EQ(thrown_description(thrown(static_cast<const char*>("oops"))), "char const*: oops");
  EXPECT_EQ(thrown_description(thrown(static_cast<const char*>(nullptr))), "char const*: null");
  EXPECT_EQ(thrown_description(thrown(std::string("oops"))), "std::string: oops");
  EXPECT_THAT(thrown_description(thrown(1.5)), StartsWith("double: 1.5"));
  EXPECT_THAT(thrown_description(thrown(silent())), EndsWith("::silent"));
  EXPECT_THAT(thrown_description(thrown(both())), EndsWith("::both"));
}

TEST(Thrown, NamesOfTypesAreReadable) {
  EXPECT_EQ(type_name(typeid(int)), "int");
  EXPECT_EQ(type_name(typeid(std::string)), "std::string");
  EXPECT_EQ(type_name(typeid(std::out_of_range)), "std::out_of_range");
}

}  // namespace
}  // namespace coppice::detail
