#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hpc {

/// One entry of a known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
struct KnownHostsEntry {
  std::string marker;  // "", "@revoked" or "@cert-authority"
  std::string hosts;   // patterns separated by commas, or one hashed name
  std::string type;    // "ssh-ed25519"
  std::string key;     // base64
};
/// nullopt: blank, comment, or not an entry (OpenSSH passes over those too).
std::optional<KnownHostsEntry> parse_known_hosts_line(std::string_view line);

/// Whether `hosts` of an entry names `name`: plain, with * and ?, excluded by a leading !, or
/// hashed. Case does not matter. A bare name also matches "[name]:22".
bool known_host_matches(std::string_view hosts, std::string_view name);

/// How a host is called in known_hosts: "login01", "[login01]:2222"; lower case.
std::string known_host_name(std::string_view host, std::uint16_t port);

/// "|1|salt|hash" for HashKnownHosts; `salt` has 20 random bytes.
std::string hash_known_host(std::string_view name, std::string_view salt);

/// A file as read; a file that does not exist has no text.
struct KnownHostsFile {
  std::string path;
  std::string text;
};

enum class HostKeyState : std::uint8_t {
  kKnown,
  kUnknown,    // no entry names the host
  kOtherType,  // entries name the host, none has a key of this type
  kChanged,    // an entry has another key of this type
  kRevoked,    // an @revoked entry has this key
};
struct HostKeyFinding {
  HostKeyState state = HostKeyState::kUnknown;
  std::string path;  // of the entry that decided; empty for kUnknown
  int line = 0;      // counted from 1
};
/// A revoked key is refused wherever it stands; a known one outweighs another of the same type (a
/// host may have two).
HostKeyFinding find_host_key(const std::vector<KnownHostsFile>& files, std::string_view name,
                             std::string_view type, std::string_view key);

/// Signature algorithms for the key exchange, those of keys that are known for `name` first, so
/// that the server shows a key that can be compared.
std::string host_key_algorithms(const std::vector<KnownHostsFile>& files, std::string_view name);

}  // namespace hpc
