// The operations behind senders in tasks and tasks as senders; where there is a library of senders to try them with.
#include <version>

#if defined(__cpp_lib_senders) || __has_include(<stdexec/execution.hpp>)

#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/senders.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>

namespace coppice {
namespace {

using namespace std::chrono_literals;

class SenderOperation : public testing::TestWithParam<unsigned> {
 protected:
  runtime rt_{options{.threads = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Workers, SenderOperation, testing::Values(1u, 2u, 4u));

static_assert(std::is_void_v<detail::sent_t<>>);
static_assert(std::is_same_v<detail::sent_t<const int&>, int>);
static_assert(std::is_same_v<detail::sent_t<int, std::string&>, std::tuple<int, std::string>>);

TEST(SenderErrors, BecomeExceptionsWhateverTheirType) {
  const std::exception_ptr thrown = std::make_exception_ptr(7);
  EXPECT_EQ(detail::as_exception(thrown), thrown);
  EXPECT_THROW(std::rethrow_exception(detail::as_exception(7)), int);
  EXPECT_THROW(
      std::rethrow_exception(detail::as_exception(std::make_error_code(std::errc::timed_out))),
      std::system_error);
}

// Each sends seven or is stopped, whichever comes first, and the operation is gone either way.
TEST_P(SenderOperation, RaceWithAStop) {
  rt_.block_on([]() -> task<> {
    int sent = 0;
    const auto body = [&](task_group& group) -> task<> {
      for (int i = 0; i != 2000; ++i) {
        const auto quick = [i]() -> task<int> {
          co_await sleep_for(std::chrono::microseconds(i % 50));
          co_return 7;
        };
        const auto wait = [&]() -> task<> {
          auto sender = to_sender(group.handle(), quick);
          const int seven = co_await from_sender(sender);
          EXPECT_EQ(seven, 7);
          ++sent;
        };
        static_cast<void>(co_await move_on_after(std::chrono::microseconds(25), wait));
      }
    };
    co_await with_group(body);
    EXPECT_LE(sent, 2000);
  });
}

}  // namespace
}  // namespace coppice

#else

#include <gtest/gtest.h>

TEST(SenderOperation, IsTriedWhereThereAreSenders) {
  GTEST_SKIP() << "neither std::execution nor stdexec is on the include path";
}

#endif
