#pragma once
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace hpc {

struct OpensslFree {
  void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
  void operator()(BIO_METHOD* method) const noexcept { BIO_meth_free(method); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(SSL* session) const noexcept { SSL_free(session); }
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
using BioPtr = std::unique_ptr<BIO, OpensslFree>;
using BioMethodPtr = std::unique_ptr<BIO_METHOD, OpensslFree>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree>;
using SslPtr = std::unique_ptr<SSL, OpensslFree>;
using SslContextPtr = std::unique_ptr<SSL_CTX, OpensslFree>;
using CertificatePtr = std::unique_ptr<X509, OpensslFree>;

/// Why the last call of OpenSSL on this thread failed, in its own words; empties its queue of
/// errors, so that no later call is blamed for them.
std::string take_openssl_error();

}  // namespace hpc
