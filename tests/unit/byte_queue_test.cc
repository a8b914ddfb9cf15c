#include "common/byte_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace hpc {
namespace {

std::string drain(ByteQueue& queue, std::size_t step) {
  std::string out;
  while (!queue.empty()) {
    const auto front = as_text(queue.front()).substr(0, step);
    out.append(front);
    queue.consume(front.size());
  }
  return out;
}

TEST(ByteQueueTest, KeepsOrderWhateverTheSteps) {
  std::string all;
  ByteQueue queue;
  for (int i = 0; i < 300; ++i) {
    const std::string piece(static_cast<std::size_t>(i * 7), static_cast<char>('a' + i % 26));
    all += piece;
    queue.append(as_bytes(piece));
  }
  EXPECT_EQ(queue.size(), all.size());
  EXPECT_EQ(drain(queue, 1000), all);
}

TEST(ByteQueueTest, FrontDoesNotMoveWhileBytesAreAppended) {
  ByteQueue queue;
  queue.append(as_bytes("first"));
  const auto* before = queue.front().data();
  for (int i = 0; i < 1000; ++i) queue.append(as_bytes(std::string(997, 'x')));
  EXPECT_EQ(queue.front().data(), before);
}

TEST(ByteQueueTest, OneReadFitsOneBlock) {
  ByteQueue queue;
  queue.append(as_bytes(std::string(ByteQueue::kBlockBytes, 'x')));
  EXPECT_EQ(queue.front().size(), ByteQueue::kBlockBytes);
}

}  // namespace
}  // namespace hpc
