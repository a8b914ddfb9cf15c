#include "manager/ssh/host_key_check.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "manager/ssh/known_hosts_writer.h"

namespace hpc {
namespace {

struct ServerKey {
  std::string type;   // "ssh-ed25519"
  std::string label;  // "ED25519", as ssh prints it
  std::string key;    // base64
  std::string fingerprint;
};

Result<ServerKey> server_key(ssh_session session) {
  ssh_key raw = nullptr;
  if (ssh_get_server_publickey(session, &raw) != SSH_OK) {
    return fail(Errc::kSsh, "ssh.host_key", "the server showed no key");
  }
  const SshKeyPtr key(raw);
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(raw, &text) != SSH_OK) {
    return fail(Errc::kSsh, "ssh.host_key", "the server's key cannot be read");
  }
  const SshCharPtr base64(text);
  ServerKey out{ssh_key_type_to_char(ssh_key_type(raw)), "", text, ssh_fingerprint(raw)};
  out.label = out.type == "ssh-ed25519" ? "ED25519" : out.type == "ssh-rsa" ? "RSA" : "ECDSA";
  return out;
}

std::string user_file(const SshConfig& config) {
  return config.user_known_hosts.empty() ? std::string() : config.user_known_hosts.front();
}

std::string scan_command(const SshConfig& config) {
  std::string command = "ssh-keyscan ";
  if (config.port != 22) command += "-p " + std::to_string(config.port) + " ";
  return command + config.hostname + " >> " + user_file(config);
}

Error changed_error(const SshConfig& config, const ServerKey& key, const HostKeyFinding& found) {
  return {Errc::kForbidden, "ssh.host_key",
          "THE HOST KEY OF " + config.hostname + " HAS CHANGED: it showed " + key.label + " " +
              key.fingerprint + ", but " + found.path + " line " + std::to_string(found.line) +
              " has another one. Somebody may be listening in, or the server was set up anew. Ask "
              "its administrator for the fingerprint; if it is the one above, remove that line and "
              "connect again"};
}

Error revoked_error(const SshConfig& config, const ServerKey& key, const HostKeyFinding& found) {
  return {Errc::kForbidden, "ssh.host_key",
          "the host key of " + config.hostname + " (" + key.label + " " + key.fingerprint +
              ") is revoked by " + found.path + " line " + std::to_string(found.line) +
              ": do not connect; ask the administrator"};
}

Error unknown_error(const SshConfig& config, const ServerKey& key, const std::string& why) {
  std::string how =
      user_file(config).empty()
          ? std::string("name a file with --known-hosts")
          : "compare it with the one its administrator publishes, then add it with: " +
                scan_command(config) + " (or run: ssh " + config.host + ", once)";
  return {Errc::kForbidden, "ssh.host_key",
          "the host key of " + config.hostname + " is not known: " + key.label + " " +
              key.fingerprint + why + "; " + how};
}

std::string question(const SshConfig& config, const ServerKey& key, const HostKeyFinding& found) {
  std::string text = "The authenticity of host '" + config.hostname + "' port " +
                     std::to_string(config.port) + " cannot be established.\n" + key.label +
                     " key fingerprint is " + key.fingerprint + "\n";
  if (found.state == HostKeyState::kOtherType) {
    text += "WARNING: a key of another type is known for it (" + found.path + " line " +
            std::to_string(found.line) + "). Somebody may be hiding that key from you.\n";
  }
  return text + "Is this the fingerprint that its administrator publishes?";
}

Status store(const SshConfig& config, const HostKeyRecords& records, const ServerKey& key) {
  if (user_file(config).empty()) return {};
  std::string host = records.name;
  if (config.hash_known_hosts) {
    std::array<char, 20> salt{};
    randombytes_buf(salt.data(), salt.size());
    host = hash_known_host(host, {salt.data(), salt.size()});
  }
  return append_known_hosts_line(user_file(config), host + " " + key.type + " " + key.key);
}

}  // namespace

Result<HostKeyRecords> read_host_key_records(const SshConfig& config) {
  HostKeyRecords records;
  records.name = config.host_key_alias.empty() ? known_host_name(config.hostname, config.port)
                                               : known_host_name(config.host_key_alias, 22);
  auto paths = config.user_known_hosts;
  paths.insert(paths.end(), config.global_known_hosts.begin(), config.global_known_hosts.end());
  for (const auto& path : paths) {
    auto text = read_known_hosts_file(path);
    if (!text) return tl::unexpected(text.error());
    records.files.push_back({path, std::move(*text)});
  }
  return records;
}

Status check_host_key(ssh_session session, const SshConfig& config, const HostKeyRecords& records,
                      AttemptPrompter& prompter) {
  const auto key = server_key(session);
  if (!key) return tl::unexpected(key.error());
  const auto found = find_host_key(records.files, records.name, key->type, key->key);
  switch (found.state) {
    case HostKeyState::kKnown:
      return {};
    case HostKeyState::kChanged:
      return tl::unexpected(changed_error(config, *key, found));
    case HostKeyState::kRevoked:
      return tl::unexpected(revoked_error(config, *key, found));
    case HostKeyState::kUnknown:
    case HostKeyState::kOtherType:
      break;
  }
  if (config.strict_host_key == StrictHostKey::kYes) {
    return tl::unexpected(
        unknown_error(config, *key, " (and StrictHostKeyChecking is yes in ssh_config)"));
  }
  const bool accepted_unseen =
      config.strict_host_key == StrictHostKey::kAcceptNew && found.state == HostKeyState::kUnknown;
  if (!accepted_unseen) {
    const auto answer =
        config.batch_mode ? std::nullopt : prompter.confirm(question(config, *key, found));
    if (!answer) {
      return tl::unexpected(unknown_error(config, *key, " (and there is no terminal to ask on)"));
    }
    if (!*answer) return tl::unexpected(unknown_error(config, *key, " (and you did not confirm)"));
  }
  return store(config, records, *key);
}

}  // namespace hpc
