#include "manager/gateway/tls_context.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "common/unique_fd.h"

namespace hpc {

namespace {

// AEAD with an ephemeral key exchange: what every browser since 2014 has. TLS 1.3 has nothing else.
constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// RFC 7301: a length, then the name.
constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

tl::unexpected<Error> bad_file(const char* what, const std::string& path, std::string cause) {
  return fail(Errc::kConfig, std::string(what) + " " + path, std::move(cause));
}

/// PEM text that is wiped when it is no longer needed: it may be a private key.
class PemText {
 public:
  PemText() = default;
  PemText(PemText&&) noexcept = default;
  PemText& operator=(PemText&&) noexcept = default;
  PemText(const PemText&) = delete;
  PemText& operator=(const PemText&) = delete;
  ~PemText() { sodium_memzero(text.data(), text.size()); }
  BioPtr bio() const { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }
  std::string text;
};

Result<PemText> read_file(const char* what, const std::string& path, bool is_key) {
  // Symbolic links are followed: that is how certbot and others put new certificates in place.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0) return bad_file(what, path, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return bad_file(what, path, "is not a plain file");
  if (is_key) {
    const auto trouble = tls_key_trouble(info.st_uid, info.st_mode, geteuid());
    if (!trouble.empty()) return bad_file(what, path, trouble + path);
  }
  if (static_cast<std::size_t>(info.st_size) > kPemBytesMax) {
    return bad_file(what, path, "has over 1 MiB, which no such file has");
  }
  PemText pem;
  pem.text.resize(static_cast<std::size_t>(info.st_size));
  std::size_t filled = 0;
  while (filled < pem.text.size()) {
    const ssize_t got = read(fd.get(), pem.text.data() + filled, pem.text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return bad_file(what, path, std::strerror(errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  pem.text.resize(filled);
  return pem;
}

/// Puts our certificate and its issuers into `context`.
Status use_certificates(SSL_CTX* context, const std::string& path, const PemText& pem) {
  const char* const what = "TLS certificate";
  const BioPtr bio = pem.bio();
  for (int count = 0;; ++count) {
    ERR_clear_error();
    const CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) {
      const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      const std::string cause = take_openssl_error();
      if (at_end && count > 0) return {};
      if (at_end) return bad_file(what, path, "holds no certificate in PEM (BEGIN CERTIFICATE)");
      return bad_file(what, path, "is damaged: " + cause);
    }
    const int used = count == 0
                         ? SSL_CTX_use_certificate(context, certificate.get())
                         : static_cast<int>(SSL_CTX_add1_chain_cert(context, certificate.get()));
    if (used != 1) return bad_file(what, path, "cannot be used: " + take_openssl_error());
  }
}

Result<KeyPtr> read_key(const std::string& path, const PemText& pem) {
  bool encrypted = false;
  ERR_clear_error();
  KeyPtr key(PEM_read_bio_PrivateKey(
      pem.bio().get(), nullptr,
      [](char*, int, int, void* asked) {
        *static_cast<bool*>(asked) = true;
        return -1;
      },
      &encrypted));
  const std::string cause = take_openssl_error();
  if (key) return key;
  if (encrypted) {
    return bad_file("TLS key", path,
                    "is encrypted, and there is nobody to ask for its passphrase; decrypt it with: "
                    "openssl pkey -in " +
                        path + " -out FILE");
  }
  if (pem.text.find("PRIVATE KEY-----") == std::string::npos) {
    return bad_file("TLS key", path, "holds no private key in PEM (BEGIN PRIVATE KEY)");
  }
  return bad_file("TLS key", path, "is damaged: " + cause);
}

int choose_http11(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                  const unsigned char* offered, unsigned offered_bytes, void*) noexcept {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_bytes, kHttp11.data(), kHttp11.size(), offered,
                            offered_bytes) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

Result<SslContextPtr> make_context() {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context.get(), kTls12Ciphers) != 1) {
    return fail(Errc::kSystem, "TLS", take_openssl_error());
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);  // an idle connection keeps none
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_http11, nullptr);
  return context;
}

void warn_of_dates(SSL_CTX* context, const std::string& path, Log& log) {
  const X509* certificate = SSL_CTX_get0_certificate(context);
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
    log.warning("the TLS certificate has expired; browsers will refuse it", {{"file", path}});
  } else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
    log.warning("the TLS certificate is not valid yet; look at this machine's clock",
                {{"file", path}});
  }
}

}  // namespace

std::string tls_key_trouble(uid_t owner, mode_t mode, uid_t own) {
  const bool of_root = owner == 0 && own != 0;
  if (owner != own && !of_root) {
    return "belongs to another user, who could change it; run: chown " + std::to_string(own) + " ";
  }
  if ((mode & (of_root ? 0027U : 0077U)) == 0) return {};
  return std::string("is open to other users; run: chmod ") + (of_root ? "640 " : "600 ");
}

std::string take_openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown cause";
}

TlsContext::TlsContext(std::string certificate, std::string key, Log& log)
    : certificate_(std::move(certificate)), key_(std::move(key)), log_(log) {}

Result<std::unique_ptr<TlsContext>> TlsContext::load(std::string certificate, std::string key,
                                                     Log& log) {
  std::unique_ptr<TlsContext> self(new TlsContext(std::move(certificate), std::move(key), log));
  auto context = self->read_files();
  if (!context) return tl::unexpected(context.error());
  self->context_ = std::move(*context);
  return self;
}

Status TlsContext::reload() {
  auto context = read_files();
  if (!context) {
    log_.error("the TLS certificate was not loaded again; the one from before stays in use",
               {{"why", describe(context.error())}});
    return tl::unexpected(context.error());
  }
  context_ = std::move(*context);
  log_.info("the TLS certificate was loaded again", {{"file", certificate_}});
  return {};
}

Result<SslContextPtr> TlsContext::read_files() const {
  const auto certificates = read_file("TLS certificate", certificate_, false);
  if (!certificates) return tl::unexpected(certificates.error());
  auto context = make_context();
  if (!context) return context;
  if (auto used = use_certificates(context->get(), certificate_, *certificates); !used) {
    return tl::unexpected(used.error());
  }
  const auto pem = read_file("TLS key", key_, true);
  if (!pem) return tl::unexpected(pem.error());
  const auto key = read_key(key_, *pem);
  if (!key) return tl::unexpected(key.error());
  if (X509_check_private_key(SSL_CTX_get0_certificate(context->get()), key->get()) != 1) {
    take_openssl_error();
    return bad_file("TLS key", key_, "is not the key of the first certificate in " + certificate_);
  }
  if (SSL_CTX_use_PrivateKey(context->get(), key->get()) != 1) {
    return bad_file("TLS key", key_, "cannot be used: " + take_openssl_error());
  }
  warn_of_dates(context->get(), certificate_, log_);
  return context;
}

Result<SslPtr> TlsContext::new_session() const {
  SslPtr session(SSL_new(context_.get()));
  if (!session) return fail(Errc::kSystem, "TLS", take_openssl_error());
  SSL_set_accept_state(session.get());
  return session;
}

}  // namespace hpc
