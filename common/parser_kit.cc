#include "common/parser_kit.h"

#include <utility>

namespace hpc {

std::unique_ptr<ParserKit> ParserPool::lend(HttpParser::Listener& to) {
  std::unique_ptr<ParserKit> kit;
  if (spare_.empty()) {
    kit = std::make_unique<ParserKit>(kind_, limits_);
  } else {
    kit = std::move(spare_.back());
    spare_.pop_back();
  }
  kit->to_ = &to;
  return kit;
}

void ParserPool::give_back(std::unique_ptr<ParserKit> kit) {
  if (!kit || spare_.size() >= kSpareMax) return;
  if (!kit->parser.message_complete() && !kit->parser.at_message_start()) return;
  kit->parser.next_message();
  kit->to_ = nullptr;
  for (auto& text : kit->texts) {
    text.clear();
    if (text.capacity() > kTextBytesMax) std::string().swap(text);
  }
  spare_.push_back(std::move(kit));
}

}  // namespace hpc
