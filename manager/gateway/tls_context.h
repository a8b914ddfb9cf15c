#pragma once
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>

#include "common/log.h"
#include "common/result.h"
#include "manager/gateway/openssl_handles.h"

namespace hpc {

// A certificate with its chain has some KiB.
constexpr std::size_t kPemBytesMax = std::size_t{1024} * 1024;

/// What is wrong with a private key's file of this owner and mode, for a process of `own`: up to
/// the file's name, which ends the command that mends it. Empty: nothing is. As PostgreSQL decides
/// it: a key of root's may be read by a group, because root chose that group; our own by nobody
/// else. Pure.
std::string tls_key_trouble(uid_t owner, mode_t mode, uid_t own);

/// Our side of every TLS connection: certificate, key and rules (--tls-cert, --tls-key).
///
/// TLS 1.2 with forward secrecy and authenticated ciphers, and TLS 1.3; HTTP/1.1 is the only
/// protocol that ALPN gets; no compression, no renegotiation, no early data. Sessions are resumed
/// by tickets, so that nothing is kept here per client.
///
/// `log` must outlive it. Sessions may outlive it.
class TlsContext {
 public:
  /// `certificate`: PEM, our own first, then its issuers. `key`: PEM, not encrypted, in a file that
  /// tls_key_trouble() finds nothing wrong with.
  ///
  /// kConfig with the file, what is wrong with it and, where there is one, the command that mends
  /// it. A certificate that has expired or is not valid yet is only warned of: a browser says so,
  /// too, and a page with a warning is more use than none.
  static Result<std::unique_ptr<TlsContext>> load(std::string certificate, std::string key,
                                                  Log& log);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Reads both files again. Connections from now on get what they say; those that are open go on
  /// as they are. On failure, which is logged too, everything stays as it was.
  Status reload();

  /// The server's side of one connection, for TlsStream. kSystem: no memory.
  Result<SslPtr> new_session() const;

 private:
  TlsContext(std::string certificate, std::string key, Log& log);
  Result<SslContextPtr> read_files() const;

  std::string certificate_;
  std::string key_;
  Log& log_;
  SslContextPtr context_;
};

}  // namespace hpc
