#include "common/http_head.h"

#include <utility>

namespace hpc {

namespace {
bool is_blank(char c) { return c == ' ' || c == '\t'; }
}  // namespace

void FieldIndex::clear() {
  spans_.clear();
  present_ = {};
  repeated_ = {};
}

void FieldIndex::add(std::string_view text, std::size_t begin, std::size_t colon, std::size_t end) {
  std::size_t value_begin = colon + 1;
  std::size_t value_end = end;
  while (value_begin < value_end && is_blank(text[value_begin])) ++value_begin;
  while (value_begin < value_end && is_blank(text[value_end - 1])) --value_end;
  const bool plain = value_begin == colon + 2 && text[colon + 1] == ' ' && value_end == end;
  add(text, {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(colon),
             static_cast<std::uint32_t>(value_begin), static_cast<std::uint32_t>(value_end),
             FieldId::kOther, plain});
}

void FieldIndex::add(std::string_view text, const Span& span) {
  const FieldId id = field_id(text.substr(span.name_begin, span.name_end - span.name_begin));
  if (present_.has(id)) repeated_.add(id);
  present_.add(id);
  spans_.push_back(span);
  spans_.back().id = id;
}

void FieldList::clear() {
  // An idle connection keeps what a usual head needs, not what the largest one needed.
  constexpr std::size_t kKeptBytes = std::size_t{16} * 1024;
  text_.clear();
  // Assigning an empty text would keep the memory.
  if (text_.capacity() > kKeptBytes) std::string().swap(text_);
  index_.clear();
}

void FieldList::add(std::string_view name, std::string_view value) {
  const auto begin = static_cast<std::uint32_t>(text_.size());
  text_.append(name).append(": ").append(value).append("\r\n");
  const auto colon = begin + static_cast<std::uint32_t>(name.size());
  // As it is given: a value with blanks around it keeps them.
  index_.add(text_,
             {begin, colon, colon + 2, colon + 2 + static_cast<std::uint32_t>(value.size())});
}

void FieldList::assign(std::string_view head, FieldIndex& index) {
  text_.assign(head);
  std::swap(index_, index);
}

std::optional<std::string_view> FieldList::find(FieldId id) const {
  if (!has(id)) return std::nullopt;
  std::size_t at = 0;
  while (index_[at].id != id) ++at;
  return (*this)[at].value;
}

std::size_t FieldList::count(FieldId id) const {
  if (!index_.repeats(id)) return has(id) ? 1 : 0;
  std::size_t found = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    if (index_[i].id == id) ++found;
  }
  return found;
}

std::optional<std::string_view> FieldList::find(std::string_view name) const {
  if (const FieldId id = field_id(name); id != FieldId::kOther) return find(id);
  if (!has(FieldId::kOther)) return std::nullopt;
  for (std::size_t i = 0; i < size(); ++i) {
    const Field field = (*this)[i];
    if (field.id == FieldId::kOther && equals_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::size_t FieldList::count(std::string_view name) const {
  if (const FieldId id = field_id(name); id != FieldId::kOther) return count(id);
  std::size_t found = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    const Field field = (*this)[i];
    if (field.id == FieldId::kOther && equals_ignoring_case(field.name, name)) ++found;
  }
  return found;
}

void RequestHead::clear() {
  method.clear();
  target.clear();
  host.clear();
  version_minor = 1;
  fields.clear();
  framing = {};
  keep_alive = true;
  expects_continue = false;
  websocket_upgrade = false;
}

void ResponseHead::clear() {
  status = 0;
  reason.clear();
  version_minor = 1;
  fields.clear();
  framing = {};
  keep_alive = true;
  websocket_upgrade = false;
}

}  // namespace hpc
