#include <coppice/detail/promise.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/support/stub_node.h"

namespace coppice::detail {
namespace {

using testing_support::ending;
using testing_support::stub_node;
using testing_support::stub_task;

class Promise : public testing::Test {
 protected:
  // By an await inside a task, and as the task itself.
  template <class T, class Make, class Check>
  void each_way(const Make& make, const Check& check) {
    const auto body = [&]() -> task<> {
      if constexpr (std::is_void_v<T>) {
        co_await make();
        check();
      } else {
        check(co_await make());
      }
    };
    on_.block_on(body);
    stub_task<T> under(on_, node_, make());
    if constexpr (std::is_void_v<T>) {
      under.get();
      check();
    } else {
      check(under.get());
    }
  }

  executor on_{options{.threads = 1}};
  stub_node node_{on_};
};

struct alignas(64) wide {
  std::string text;
};

struct convertible {
  operator std::string() const { return "converted"; }
};

struct throwing_copy {
  throwing_copy() = default;
  throwing_copy(const throwing_copy&) { throw std::runtime_error("copy"); }
  throwing_copy& operator=(const throwing_copy&) = default;
  std::string text = std::string(100, 'x');
};

int global = 7;

TEST_F(Promise, ReturnsAValue) {
  each_way<int>([]() -> task<int> { co_return 7; }, [](int value) { EXPECT_EQ(value, 7); });
}

TEST_F(Promise, ReturnsNothing) {
  each_way<void>([]() -> task<> { co_return; }, [] {});
}

TEST_F(Promise, ReturnsWhatCanOnlyBeMoved) {
  each_way<std::unique_ptr<int>>(
      []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); },
      [](const std::unique_ptr<int>& value) { EXPECT_EQ(*value, 7); });
}

TEST_F(Promise, ReturnsAReference) {
  each_way<int&>([]() -> task<int&> { co_return global; },
                 [](int& value) { EXPECT_EQ(&value, &global); });
}

TEST_F(Promise, ReturnsALargePlainValue) {
  each_way<std::array<int, 1000>>(
      []() -> task<std::array<int, 1000>> {
        std::array<int, 1000> values{};
        values.back() = 7;
        co_return values;
      },
      [](const std::array<int, 1000>& values) { EXPECT_EQ(values.back(), 7); });
}

TEST_F(Promise, ReturnsAValueOfAnyAlignment) {
  each_way<wide>([]() -> task<wide> { co_return wide{"wide"}; },
                 [](const wide& value) {
                   EXPECT_EQ(value.text, "wide");
                   EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&value) % 64, 0u);
                 });
}

TEST_F(Promise, ConvertsWhatIsReturned) {
  each_way<std::string>([]() -> task<std::string> { co_return convertible(); },
                        [](const std::string& value) { EXPECT_EQ(value, "converted"); });
}

TEST_F(Promise, CarriesAFailureOfAnyType) {
  const auto thrower = []() -> task<std::string> {
    throw 7;
    co_return "";
  };
  stub_task<std::string> under(on_, node_, thrower());
  EXPECT_THROW(under.get(), int);
  const auto body = [&]() -> task<int> {
    try {
      co_await thrower();
    } catch (int thrown) {
      co_return thrown;
    }
    co_return 0;
  };
  EXPECT_EQ(on_.block_on(body), 7);
}

TEST_F(Promise, AValueThatCannotBeCopiedInIsAFailure) {
  const auto thrower = []() -> task<throwing_copy> {
    const throwing_copy value;
    co_return value;
  };
  stub_task<throwing_copy> under(on_, node_, thrower());
  EXPECT_EQ(under.wait(), ending::failure);
}

// A destructor that throws behind co_return: the value that was there goes, and goes whole.
TEST_F(Promise, AFailureBehindTheValueTakesItsPlace) {
  struct throwing_end {
    ~throwing_end() noexcept(false) { throw std::runtime_error("end"); }
  };
  const auto thrower = []() -> task<std::shared_ptr<int>> {
    auto value = std::make_shared<int>(7);
    const throwing_end late;
    co_return value;
  };
  stub_task<std::shared_ptr<int>> under(on_, node_, thrower());
  EXPECT_THROW(under.get(), std::runtime_error);
}

TEST_F(Promise, AFailureGoesThroughEveryFrameUpToTheOneThatCatches) {
  struct local {
    static task<int> fall(int depth) {
      if (depth == 0) {
        throw std::out_of_range("bottom");
      }
      co_return 1 + co_await fall(depth - 1);
    }
  };
  stub_task<int> under(on_, node_, local::fall(1'000));
  EXPECT_THROW(under.get(), std::out_of_range);
}

// Where transfers are no tail calls the guard of the stack must hold; where they are, nothing is used up.
TEST_F(Promise, ReadyAwaitsAndDeepChainsNeedNoStack) {
  struct local {
    static task<int> one() { co_return 1; }
    static task<int> deep(int depth) {
      if (depth == 0) {
        co_return 0;
      }
      co_return 1 + co_await deep(depth - 1);
    }
  };
  const auto body = []() -> task<int> {
    int sum = 0;
    for (int i = 0; i != 200'000; ++i) {
      sum += co_await local::one();
    }
    co_return sum + co_await local::deep(100'000);
  };
  executor small({.threads = 1, .stack_size = 64 * 1024});
  EXPECT_EQ(small.block_on(body), 300'000);
}

TEST(PromiseFrame, LiesAtOneDistanceWhateverItsType) {
  EXPECT_LE(alignof(promise<int>), 16u);
  EXPECT_LE(alignof(promise<wide>), 16u);
  EXPECT_EQ(sizeof(promise<wide>), sizeof(promise_base));
  EXPECT_EQ(sizeof(promise<void>), sizeof(promise_base));
}

}  // namespace
}  // namespace coppice::detail
