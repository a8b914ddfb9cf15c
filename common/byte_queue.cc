#include "common/byte_queue.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace hpc {

namespace {
// What is queued is mostly more than a few bytes, or more of it follows.
constexpr std::size_t kBlockBytesMin = 1024;
}  // namespace

/// Followed by its bytes.
struct ByteQueue::Block {
  Block* next;
  std::size_t size;
  std::size_t capacity;
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
};

void ByteQueue::add_block(std::size_t bytes) {
  const std::size_t capacity = std::clamp(bytes, kBlockBytesMin, kBlockBytes);
  auto* block = new (::operator new(sizeof(Block) + capacity)) Block{nullptr, 0, capacity};
  (back_ != nullptr ? back_->next : front_) = block;
  back_ = block;
}

void ByteQueue::drop_front() {
  Block* first = front_;
  front_ = first->next;
  if (front_ == nullptr) back_ = nullptr;
  front_offset_ = 0;
  ::operator delete(first);
}

void ByteQueue::append(Bytes bytes) {
  auto text = as_text(bytes);
  size_ += text.size();
  while (!text.empty()) {
    if (back_ == nullptr || back_->size == back_->capacity) add_block(text.size());
    const std::size_t count = std::min(text.size(), back_->capacity - back_->size);
    std::memcpy(back_->bytes() + back_->size, text.data(), count);
    back_->size += count;
    text.remove_prefix(count);
  }
}

Bytes ByteQueue::front() const {
  if (front_ == nullptr) return {};
  return as_bytes(std::string_view(front_->bytes(), front_->size).substr(front_offset_));
}

void ByteQueue::consume(std::size_t count) {
  assert(count <= front().size());
  size_ -= count;
  front_offset_ += count;
  if (front_ != nullptr && front_offset_ == front_->size) drop_front();
}

void ByteQueue::clear() {
  while (front_ != nullptr) drop_front();
  size_ = 0;
}

}  // namespace hpc
