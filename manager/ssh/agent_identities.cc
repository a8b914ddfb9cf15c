#include "manager/ssh/agent_identities.h"

#include <algorithm>
#include <optional>

#include "manager/ssh/ssh_key_file.h"

namespace hpc {
namespace {

constexpr char kIdentitiesAnswer = 12;
constexpr std::size_t kLengthBytes = 4;

std::optional<std::size_t> take_number(std::string_view& text) {
  if (text.size() < kLengthBytes) return std::nullopt;
  std::size_t number = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    number = number << 8 | static_cast<unsigned char>(text[i]);
  }
  text.remove_prefix(kLengthBytes);
  return number;
}

/// A length and that many bytes; the bytes.
std::optional<std::string_view> take_string(std::string_view& text) {
  const auto length = take_number(text);
  if (!length || text.size() < *length) return std::nullopt;
  const auto string = text.substr(0, *length);
  text.remove_prefix(*length);
  return string;
}

std::string number_bytes(std::size_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

}  // namespace

std::string sort_agent_identities(std::string_view answer,
                                  const std::vector<std::string>& preferred, bool only) {
  auto unchanged = std::string(answer);
  if (answer.empty() || answer.front() != kIdentitiesAnswer) return unchanged;
  answer.remove_prefix(1);
  const auto count = take_number(answer);
  if (!count) return unchanged;
  std::string first;
  std::string later;
  std::size_t first_count = 0;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto whole = answer;
    const auto blob = take_string(answer);
    if (!blob || !take_string(answer)) return unchanged;
    const bool wanted = std::any_of(
        preferred.begin(), preferred.end(),
        [&blob](const std::string& key) { return *blob == key || certificate_is_for(*blob, key); });
    (wanted ? first : later) += whole.substr(0, whole.size() - answer.size());
    if (wanted) ++first_count;
  }
  return kIdentitiesAnswer + number_bytes(only ? first_count : *count) + first +
         (only ? std::string() : later);
}

}  // namespace hpc
