#include "manager/session/session_key.h"

#include <algorithm>
#include <charconv>

namespace hpc {

namespace {

constexpr std::string_view kUserPath = "/user/";

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_name_byte(char c) { return is_name_start(c) || c == '.' || c == '_' || c == '-'; }

/// Cuts what stands before the next '/', '?' or end off `text`.
std::string_view take_segment(std::string_view& text) {
  const auto segment = text.substr(0, text.find_first_of("/?"));
  text.remove_prefix(segment.size());
  return segment;
}

/// As take_segment, for a name that a slash must follow; cuts that off too. Empty: no such name.
std::string_view take_name(std::string_view& text) {
  const auto name = take_segment(text);
  if (!is_session_name(name) || !text.starts_with('/')) return {};
  text.remove_prefix(1);
  return name;
}

/// "~2" at the end of `ide`, cut off; 1 without one, 0 for what is no slot.
unsigned take_slot(std::string_view& ide) {
  const auto tilde = ide.find('~');
  if (tilde == std::string_view::npos) return 1;
  const auto digits = ide.substr(tilde + 1);
  ide = ide.substr(0, tilde);
  unsigned slot = 0;
  const char* last = digits.data() + digits.size();
  const auto [end, failed] = std::from_chars(digits.data(), last, slot);
  const bool plain = failed == std::errc{} && end == last && digits.front() != '0';
  return plain && slot > 1 && slot <= kSlotMax ? slot : 0;
}

std::string slot_suffix(const SessionKey& key) {
  return key.slot == 1 ? std::string() : "~" + std::to_string(key.slot);
}

}  // namespace

bool is_session_name(std::string_view text) {
  return !text.empty() && text.size() <= kSessionNameBytesMax && is_name_start(text.front()) &&
         std::all_of(text.begin(), text.end(), is_name_byte);
}

std::string path_of(const SessionKey& key) {
  return std::string(kUserPath) + key.user + "/" + key.cluster + "/" + key.ide + slot_suffix(key);
}

std::string text_of(const SessionKey& key) {
  return key.user + "-" + key.cluster + "-" + key.ide + slot_suffix(key);
}

std::optional<SessionPath> parse_session_path(std::string_view target) {
  if (!target.starts_with(kUserPath)) return std::nullopt;
  std::string_view left = target.substr(kUserPath.size());
  const auto user = take_name(left);
  const auto cluster = user.empty() ? user : take_name(left);
  if (cluster.empty()) return std::nullopt;
  auto ide = take_segment(left);
  const unsigned slot = take_slot(ide);
  if (slot == 0 || !is_session_name(ide)) return std::nullopt;
  SessionPath path;
  path.key = {std::string(user), std::string(cluster), std::string(ide), slot};
  path.prefix = target.substr(0, target.size() - left.size());
  path.rest = left;
  return path;
}

}  // namespace hpc
