#include "manager/ssh/libssh_handles.h"

#include <string.h>  // explicit_bzero
#include <unistd.h>

namespace hpc {

void SshSessionFree::operator()(ssh_session session) const noexcept {
  ssh_set_blocking(session, 0);
  ssh_disconnect(session);
  // Only now: the goodbye may find the peer dead, and libssh then closes the descriptor itself. A
  // second close would hit whatever another thread has just opened under the same number.
  const int fd = ssh_get_fd(session);
  ssh_free(session);
  if (fd >= 0) ::close(fd);
}

std::string ssh_error_text(ssh_session session) {
  const char* text = ssh_get_error(session);
  return text != nullptr && *text != '\0' ? text : "no reason given";
}

std::string ssh_fingerprint(ssh_key key) {
  unsigned char* hash = nullptr;
  std::size_t length = 0;
  if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &length) != 0) return {};
  const SshCharPtr text(ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, length));
  ssh_clean_pubkey_hash(&hash);
  return text ? std::string(text.get()) : std::string();
}

void wipe(std::string& secret) noexcept {
  explicit_bzero(secret.data(), secret.capacity());
  secret.clear();
}

}  // namespace hpc
