#include "common/http_head.h"

#include <algorithm>

namespace hpc {

namespace {
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

void FieldList::clear() {
  // An idle connection keeps what a usual head needs, not what the largest one needed.
  constexpr std::size_t kKeptBytes = std::size_t{16} * 1024;
  if (text_.capacity() > kKeptBytes) text_ = std::string();
  text_.clear();
  spans_.clear();
}

void FieldList::add(std::string_view name, std::string_view value) {
  const auto begin = static_cast<std::uint32_t>(text_.size());
  text_.append(name).append(value);
  spans_.push_back(
      {begin, static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
}

Field FieldList::operator[](std::size_t index) const {
  const auto& span = spans_[index];
  const std::string_view text = text_;
  return {text.substr(span.begin, span.name_size),
          text.substr(span.begin + span.name_size, span.value_size)};
}

std::optional<std::string_view> FieldList::find(std::string_view name) const {
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    const Field field = (*this)[i];
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::size_t FieldList::count(std::string_view name) const {
  std::size_t found = 0;
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    if (equals_ignoring_case((*this)[i].name, name)) ++found;
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
