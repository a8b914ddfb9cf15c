#pragma once
#include <string>
#include <string_view>

#include "common/result.h"
#include "manager/ssh/libssh_handles.h"
#include "manager/ssh/ssh_attempt.h"

namespace hpc {

/// kNotFound: there is no such file. kConfig: it is a private key that others may read, with the
/// command that mends it, or it cannot be read at all.
Status check_key_file(const std::string& path);

/// The public half, from PATH.pub or from the private file where that shows it without a
/// passphrase; null where neither does.
SshKeyPtr read_public_key(const std::string& path);

/// The key as it goes over the wire (RFC 4253 section 6.6): type, then its fields.
std::string public_key_blob(ssh_key key);

/// The private key. An encrypted one is asked for up to `prompts_max` times; takes 0.1 s of
/// processor. Errors: kUnauthorized (nobody to ask, or wrong passphrases), kConfig (not a key that
/// libssh can use).
Result<SshKeyPtr> read_private_key(const std::string& path, int prompts_max, bool may_ask,
                                   AttemptPrompter& prompter);

/// Whether a certificate's blob (PROTOCOL.certkeys: type, nonce, key fields, ...) certifies the key
/// of a public key's blob (type, key fields).
bool certificate_is_for(std::string_view certificate, std::string_view key);

/// The certificate in `path` where it is one for `key`, which may be a public key; else null.
SshKeyPtr read_certificate(const std::string& path, ssh_key key);

}  // namespace hpc
