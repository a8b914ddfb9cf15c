#include "manager/ssh/ssh_key_file.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace hpc {
namespace {

/// What libssh's passphrase callback needs and leaves behind.
struct PassphraseQuestion {
  AttemptPrompter& prompter;
  const std::string& path;
  bool may_ask;
  bool asked = false;     // libssh asks only where the key is encrypted
  bool answered = false;  // a person answered
};

int answer_passphrase(const char* /*prompt*/, char* buffer, std::size_t length, int /*echo*/,
                      int /*verify*/, void* userdata) noexcept {
  auto& question = *static_cast<PassphraseQuestion*>(userdata);
  question.asked = true;
  if (!question.may_ask) return -1;
  auto answer =
      question.prompter.ask("Enter passphrase for key '" + question.path + "': ", /*echo=*/false);
  if (!answer) return -1;
  question.answered = true;
  const bool fits = answer->size() < length;
  if (fits) buffer[answer->copy(buffer, length)] = '\0';
  wipe(*answer);
  return fits ? 0 : -1;
}

std::string from_base64(const std::string& text) {
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  const int rc =
      sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), nullptr, &size, nullptr, sodium_base64_VARIANT_ORIGINAL);
  bytes.resize(rc == 0 ? size : 0);
  return bytes;
}

/// Takes one "string" of RFC 4251 section 5 off the front; false: cut short.
bool skip_string(std::string_view& blob) {
  constexpr std::size_t kLengthBytes = 4;
  if (blob.size() < kLengthBytes) return false;
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(blob[i]);
  }
  if (blob.size() - kLengthBytes < length) return false;
  blob.remove_prefix(kLengthBytes + length);
  return true;
}

}  // namespace

bool certificate_is_for(std::string_view certificate, std::string_view key) {
  const bool whole = skip_string(key) && skip_string(certificate) && skip_string(certificate);
  return whole && !key.empty() && certificate.starts_with(key);
}

Status check_key_file(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return fail(errno == ENOENT || errno == ENOTDIR ? Errc::kNotFound : Errc::kConfig, "ssh.key",
                path + ": " + std::strerror(errno));
  }
  if (access(path.c_str(), R_OK) != 0) {
    return fail(Errc::kConfig, "ssh.key", path + ": " + std::strerror(errno));
  }
  // The same rule as OpenSSH: only our own files can be judged.
  if (info.st_uid == geteuid() && (info.st_mode & 077) != 0) {
    return fail(Errc::kConfig, "ssh.key",
                "the private key " + path +
                    " can be read by others and is not used; run: chmod 600 " + path);
  }
  return {};
}

SshKeyPtr read_public_key(const std::string& path) {
  ssh_key key = nullptr;
  const std::string beside = path + ".pub";
  if (access(beside.c_str(), R_OK) == 0 &&
      ssh_pki_import_pubkey_file(beside.c_str(), &key) == SSH_OK) {
    return SshKeyPtr(key);
  }
  if (ssh_pki_import_pubkey_file(path.c_str(), &key) == SSH_OK) return SshKeyPtr(key);
  return nullptr;
}

std::string public_key_blob(ssh_key key) {
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK) return {};
  const SshCharPtr base64(text);
  return from_base64(text);
}

Result<SshKeyPtr> read_private_key(const std::string& path, int prompts_max, bool may_ask,
                                   AttemptPrompter& prompter) {
  for (int i = 0; i < prompts_max; ++i) {
    PassphraseQuestion question{prompter, path, may_ask};
    ssh_key key = nullptr;
    if (ssh_pki_import_privkey_file(path.c_str(), nullptr, answer_passphrase, &question, &key) ==
        SSH_OK) {
      return SshKeyPtr(key);
    }
    if (!question.asked) {
      return fail(Errc::kConfig, "ssh.key",
                  path +
                      " is not a private key that can be used here (hardware keys and PKCS#11 "
                      "work through ssh-agent)");
    }
    if (!question.answered) {
      return fail(Errc::kUnauthorized, "ssh.key",
                  path +
                      " is encrypted and there is no terminal to ask for its passphrase: load "
                      "it with ssh-add first");
    }
  }
  return fail(Errc::kUnauthorized, "ssh.key", "wrong passphrase for " + path);
}

SshKeyPtr read_certificate(const std::string& path, ssh_key key) {
  std::ifstream file(path);
  std::string type;
  std::string blob;
  if (!(file >> type >> blob)) return nullptr;
  if (!certificate_is_for(from_base64(blob), public_key_blob(key))) return nullptr;
  ssh_key raw = nullptr;
  if (ssh_pki_import_cert_file(path.c_str(), &raw) != SSH_OK) return nullptr;
  return SshKeyPtr(raw);
}

}  // namespace hpc
