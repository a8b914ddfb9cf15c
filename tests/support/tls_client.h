#pragma once
// Certificates that are made when a test runs, and the other end of TLS: a client that is driven
// by hand, byte by byte.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <string>
#include <string_view>

#include "manager/gateway/openssl_handles.h"

namespace hpc {

inline std::string text_of_bio(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

struct TestCertificate {
  std::string certificate;  // both in PEM
  std::string key;
};

/// Signed by itself, valid from and until so many seconds from now.
inline TestCertificate make_certificate(const std::string& name, long from_s = -3600,
                                        long until_s = 3600) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertificatePtr made(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), from_s);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), until_s);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME* const subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), subject);
  X509_sign(made.get(), key.get(), EVP_sha256());
  const BioPtr certificate_pem(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_pem.get(), made.get());
  const BioPtr key_pem(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of_bio(certificate_pem.get()), text_of_bio(key_pem.get())};
}

/// What a client may offer.
struct TlsOffer {
  int version_min = 0;  // 0: as OpenSSL likes it
  int version_max = 0;
  std::string alpn;  // as on the wire: "\x02h2\x08http/1.1"
};

inline SslPtr make_tls_client(const TlsOffer& offer = {}) {
  const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_security_level(context.get(), 0);  // it may offer what we must refuse
  SSL_CTX_set_min_proto_version(context.get(), offer.version_min);
  SSL_CTX_set_max_proto_version(context.get(), offer.version_max);
  SslPtr session(SSL_new(context.get()));
  SSL_set_connect_state(session.get());
  if (!offer.alpn.empty()) {
    SSL_set_alpn_protos(session.get(), reinterpret_cast<const unsigned char*>(offer.alpn.data()),
                        static_cast<unsigned>(offer.alpn.size()));
  }
  return session;
}

/// A client without a connection: bytes in, bytes out.
class HandTlsClient {
 public:
  explicit HandTlsClient(const TlsOffer& offer = {}) : session(make_tls_client(offer)) {
    SSL_set_bio(session.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  }
  /// Takes what the server sent, goes as far as it can, and returns what is to be sent.
  std::string step(std::string_view from_server = {}) {
    if (!from_server.empty()) {
      BIO_write(SSL_get_rbio(session.get()), from_server.data(),
                static_cast<int>(from_server.size()));
    }
    ERR_clear_error();
    int rc = SSL_do_handshake(session.get());
    char buffer[16384];
    while (rc == 1) {
      const int got = SSL_read(session.get(), buffer, sizeof buffer);
      if (got > 0) {
        received.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      rc = got;
    }
    const int what = SSL_get_error(session.get(), rc);
    if (what == SSL_ERROR_SSL) error = take_openssl_error();
    return take_output();
  }
  std::string send(std::string_view text) {
    SSL_write(session.get(), text.data(), static_cast<int>(text.size()));
    return take_output();
  }
  std::string send_close_notify() {
    SSL_shutdown(session.get());
    return take_output();
  }
  std::string take_output() {
    BIO* const out = SSL_get_wbio(session.get());
    const std::string text = text_of_bio(out);
    static_cast<void>(BIO_reset(out));
    return text;
  }
  bool server_ended() const {
    return (SSL_get_shutdown(session.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  std::string server_name() const {
    const CertificatePtr peer(SSL_get1_peer_certificate(session.get()));
    char name[64] = "";
    if (peer) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(peer.get()), NID_commonName, name,
                                sizeof name);
    }
    return name;
  }

  SslPtr session;
  std::string received;
  std::string error;
};

}  // namespace hpc
