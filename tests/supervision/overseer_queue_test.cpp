#include "supervision/overseer_queue.h"

#include <gtest/gtest.h>

namespace coppice::detail {
namespace {

TEST(MessageQueue, GivesThemInTheOrderOfTheirArrival) {
  message a(message::about::end);
  message b(message::about::next_try);
  message c(message::about::call);
  message_queue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.pop(), nullptr);
  queue.push(a);
  queue.push(b);
  queue.push(c);
  EXPECT_TRUE(b.queued());
  EXPECT_EQ(queue.pop(), &a);
  EXPECT_EQ(queue.pop(), &b);
  EXPECT_EQ(queue.pop(), &c);
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(b.queued());
}

TEST(MessageQueue, TakesOutOneInTheMiddleAndIsAskedToTwice) {
  message a(message::about::end);
  message b(message::about::end);
  message c(message::about::end);
  message_queue queue;
  queue.push(a);
  queue.push(b);
  queue.push(c);
  queue.remove(b);
  queue.remove(b);
  EXPECT_EQ(queue.pop(), &a);
  EXPECT_EQ(queue.pop(), &c);
  EXPECT_EQ(queue.pop(), nullptr);
}

TEST(MessageQueue, TakesBackOneThatWasTakenOut) {
  message a(message::about::end);
  message_queue queue;
  queue.push(a);
  EXPECT_EQ(queue.pop(), &a);
  queue.push(a);
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.pop(), &a);
}

}  // namespace
}  // namespace coppice::detail
