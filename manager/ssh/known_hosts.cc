#include "manager/ssh/known_hosts.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

namespace hpc {
namespace {

constexpr std::size_t kSha1Bytes = 20;
// In the order in which they are offered where nothing is known.
constexpr std::array<std::string_view, 4> kEllipticTypes = {
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"};
constexpr std::string_view kRsaAlgorithms = "rsa-sha2-512,rsa-sha2-256";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view next_word(std::string_view& rest) {
  const auto begin = std::min(rest.find_first_not_of(" \t\r"), rest.size());
  rest.remove_prefix(begin);
  const auto end = std::min(rest.find_first_of(" \t\r"), rest.size());
  const auto word = rest.substr(0, end);
  rest.remove_prefix(end);
  return word;
}

// * and ? over names of a few dozen bytes; steps back to the last * only, so never exponential.
bool wildcard_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(std::max(size, 0)));
  return out;
}

std::string sha1_hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), bytes, text.size(), out.data(), &size);
  return {reinterpret_cast<const char*>(out.data()), size};
}

bool hashed_matches(std::string_view hashed, std::string_view name) {
  const auto bar = hashed.find('|', 3);
  if (!hashed.starts_with("|1|") || bar != 3 + base64(std::string(kSha1Bytes, 'x')).size()) {
    return false;
  }
  std::array<unsigned char, kSha1Bytes + 4> salt{};  // base64 decodes to a multiple of three
  const int size =
      EVP_DecodeBlock(salt.data(), reinterpret_cast<const unsigned char*>(hashed.data()) + 3,
                      static_cast<int>(bar - 3));
  if (size < static_cast<int>(kSha1Bytes)) return false;
  return hash_known_host(name, {reinterpret_cast<const char*>(salt.data()), kSha1Bytes}) == hashed;
}

bool pattern_matches(std::string_view pattern, const std::string& name) {
  if (wildcard_matches(lower(pattern), name)) return true;
  return pattern.starts_with('[') && !name.starts_with('[') &&
         wildcard_matches(lower(pattern), "[" + name + "]:22");
}

template <class Visit>
void for_each_entry(const std::vector<KnownHostsFile>& files, std::string_view name, Visit visit) {
  for (const auto& file : files) {
    std::string_view rest = file.text;
    for (int line = 1; !rest.empty(); ++line) {
      const auto end = std::min(rest.find('\n'), rest.size());
      const auto entry = parse_known_hosts_line(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (entry && known_host_matches(entry->hosts, name)) visit(*entry, file.path, line);
    }
  }
}

}  // namespace

std::optional<KnownHostsEntry> parse_known_hosts_line(std::string_view line) {
  KnownHostsEntry entry;
  auto word = next_word(line);
  if (word.empty() || word.front() == '#') return std::nullopt;
  if (word.front() == '@') {
    entry.marker = word;
    word = next_word(line);
  }
  entry.hosts = word;
  entry.type = next_word(line);
  entry.key = next_word(line);
  if (entry.key.empty()) return std::nullopt;
  return entry;
}

bool known_host_matches(std::string_view hosts, std::string_view name) {
  const std::string wanted = lower(name);
  if (hosts.starts_with('|')) return hashed_matches(hosts, wanted);
  bool matches = false;
  while (!hosts.empty()) {
    const auto end = std::min(hosts.find(','), hosts.size());
    auto pattern = hosts.substr(0, end);
    hosts.remove_prefix(std::min(end + 1, hosts.size()));
    const bool excludes = pattern.starts_with('!');
    if (excludes) pattern.remove_prefix(1);
    if (pattern.empty() || !pattern_matches(pattern, wanted)) continue;
    if (excludes) return false;
    matches = true;
  }
  return matches;
}

std::string known_host_name(std::string_view host, std::uint16_t port) {
  const std::string name = lower(host);
  return port == 22 ? name : "[" + name + "]:" + std::to_string(port);
}

std::string hash_known_host(std::string_view name, std::string_view salt) {
  return "|1|" + base64(salt) + "|" + base64(sha1_hmac(salt, lower(name)));
}

HostKeyFinding find_host_key(const std::vector<KnownHostsFile>& files, std::string_view name,
                             std::string_view type, std::string_view key) {
  HostKeyFinding found;
  const auto rank = [](HostKeyState state) {
    constexpr std::array kOrder = {HostKeyState::kUnknown, HostKeyState::kOtherType,
                                   HostKeyState::kChanged, HostKeyState::kKnown,
                                   HostKeyState::kRevoked};
    return std::distance(kOrder.begin(), std::find(kOrder.begin(), kOrder.end(), state));
  };
  for_each_entry(files, name, [&](const KnownHostsEntry& entry, const std::string& path, int line) {
    const bool same_key = entry.type == type && entry.key == key;
    HostKeyState state = HostKeyState::kUnknown;
    if (entry.marker == "@revoked") {
      if (same_key) state = HostKeyState::kRevoked;
    } else if (entry.marker.empty()) {
      state = same_key             ? HostKeyState::kKnown
              : entry.type == type ? HostKeyState::kChanged
                                   : HostKeyState::kOtherType;
    }
    if (rank(state) > rank(found.state)) found = {state, path, line};
  });
  return found;
}

std::string host_key_algorithms(const std::vector<KnownHostsFile>& files, std::string_view name) {
  std::vector<std::string> known;
  for_each_entry(files, name, [&known](const KnownHostsEntry& entry, const std::string&, int) {
    if (entry.marker.empty()) known.push_back(entry.type);
  });
  const auto is_known = [&known](std::string_view type) {
    return std::find(known.begin(), known.end(), type) != known.end();
  };
  std::string first;
  std::string later;
  const auto offer = [&](std::string_view type, std::string_view algorithms) {
    std::string& list = is_known(type) ? first : later;
    if (!list.empty()) list += ',';
    list += algorithms;
  };
  for (const auto type : kEllipticTypes) offer(type, type);
  offer("ssh-rsa", kRsaAlgorithms);
  return first.empty() ? later : later.empty() ? first : first + "," + later;
}

}  // namespace hpc
