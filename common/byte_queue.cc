#include "common/byte_queue.h"

#include <algorithm>
#include <cassert>

namespace hpc {

void ByteQueue::append(Bytes bytes) {
  auto text = as_text(bytes);
  size_ += text.size();
  while (!text.empty()) {
    // Appending within the reserved capacity never moves a block.
    if (blocks_.empty() || blocks_.back().size() == blocks_.back().capacity()) {
      blocks_.emplace_back();
      blocks_.back().reserve(std::min(kBlockBytes, std::max<std::size_t>(text.size(), 1024)));
    }
    auto& block = blocks_.back();
    const std::size_t count = std::min(text.size(), block.capacity() - block.size());
    block.append(text.substr(0, count));
    text.remove_prefix(count);
  }
}

Bytes ByteQueue::front() const {
  if (blocks_.empty()) return {};
  return as_bytes(std::string_view(blocks_.front()).substr(front_offset_));
}

void ByteQueue::consume(std::size_t count) {
  assert(count <= front().size());
  size_ -= count;
  front_offset_ += count;
  if (!blocks_.empty() && front_offset_ == blocks_.front().size()) {
    blocks_.pop_front();
    front_offset_ = 0;
  }
}

void ByteQueue::clear() {
  blocks_.clear();
  front_offset_ = 0;
  size_ = 0;
}

}  // namespace hpc
