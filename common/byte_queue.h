#pragma once
#include <cstddef>

#include "common/stream.h"

namespace hpc {

/// Bytes that wait to be sent, in blocks that do not move while they wait (libuv and libssh keep
/// pointers into them). Empty: no memory but the object itself, which is small. No limit of its
/// own: whoever fills it watches size() against kQueueBytesMax and pauses its source.
class ByteQueue {
 public:
  // One block is one write; as large as one read, so that a read fits into a single block.
  static constexpr std::size_t kBlockBytes = std::size_t{64} * 1024;

  ByteQueue() = default;
  ~ByteQueue() { clear(); }
  ByteQueue(const ByteQueue&) = delete;
  ByteQueue& operator=(const ByteQueue&) = delete;

  void append(Bytes bytes);
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// The oldest bytes, at most one block; empty if there are none. Stays valid, and stays the
  /// front, until consume(), whatever is appended.
  Bytes front() const;
  /// Drops `count` bytes of the front; at most front().size().
  void consume(std::size_t count);
  void clear();

 private:
  struct Block;
  void add_block(std::size_t bytes);
  void drop_front();

  Block* front_ = nullptr;  // a chain, the oldest first
  Block* back_ = nullptr;
  std::size_t front_offset_ = 0;
  std::size_t size_ = 0;
};

}  // namespace hpc
