#include "manager/gateway/tls_context.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <ostream>

#include "tests/support/tls_site.h"

namespace hpc {
namespace {

using TlsContextTest = TlsSite;

TEST_F(TlsContextTest, ReadsACertificateAndItsIssuers) {
  put(certificate, text(certificate) + make_certificate("issuer").certificate);
  EXPECT_TRUE(TlsContext::load(certificate, key, log));
  EXPECT_EQ(logged, "");
}

TEST_F(TlsContextTest, FollowsLinksAsCertbotMakesThem) {
  std::filesystem::create_symlink(certificate, dir + "/live.pem");
  std::filesystem::create_symlink(key, dir + "/live.key");
  EXPECT_TRUE(TlsContext::load(dir + "/live.pem", dir + "/live.key", log));
}

struct BadPair {
  const char* name;
  std::function<void(TlsSite&)> spoil;
  const char* file;  // which one the message names
  const char* says;
};
void PrintTo(const BadPair& c, std::ostream* os) { *os << c.name; }

std::string encrypted(const std::string& pem) {
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(out.get(), key.get(), EVP_aes_256_cbc(),
                           reinterpret_cast<const unsigned char*>("secret"), 6, nullptr, nullptr);
  return text_of_bio(out.get());
}

const BadPair kBadPairs[] = {
    {"no_certificate", [](TlsSite& s) { unlink(s.certificate.c_str()); }, "cert.pem",
     "No such file"},
    {"no_key", [](TlsSite& s) { unlink(s.key.c_str()); }, "key.pem", "No such file"},
    {"empty_certificate", [](TlsSite& s) { s.put(s.certificate, ""); }, "cert.pem",
     "holds no certificate in PEM"},
    {"rubbish_certificate", [](TlsSite& s) { s.put(s.certificate, "hello\n"); }, "cert.pem",
     "holds no certificate in PEM"},
    {"der_certificate", [](TlsSite& s) { s.put(s.certificate, std::string("0\x82\x01\0", 4)); },
     "cert.pem", "holds no certificate in PEM"},
    {"cut_certificate",
     [](TlsSite& s) { s.put(s.certificate, s.text(s.certificate).substr(0, 200)); }, "cert.pem",
     "is damaged"},
    {"damaged_issuer",
     [](TlsSite& s) {
       const auto own = s.text(s.certificate);
       s.put(s.certificate, own + own.substr(0, 200));
     },
     "cert.pem", "is damaged"},
    {"files_swapped", [](TlsSite& s) { std::swap(s.certificate, s.key); }, "key.pem",
     "holds no certificate in PEM"},
    {"certificate_for_key",
     [](TlsSite& s) {
       s.key = s.certificate;
       chmod(s.key.c_str(), 0600);
     },
     "cert.pem", "holds no private key in PEM"},
    {"cut_key", [](TlsSite& s) { s.put(s.key, s.text(s.key).substr(0, 80)); }, "key.pem",
     "is damaged"},
    {"encrypted_key", [](TlsSite& s) { s.put(s.key, encrypted(s.text(s.key))); }, "key.pem",
     "is encrypted"},
    {"key_of_another", [](TlsSite& s) { s.put(s.key, make_certificate("other").key); }, "key.pem",
     "is not the key of the first certificate"},
    {"key_for_all_to_read", [](TlsSite& s) { chmod(s.key.c_str(), 0604); }, "key.pem",
     "run: chmod 600 "},
    {"key_for_the_group", [](TlsSite& s) { chmod(s.key.c_str(), 0640); }, "key.pem",
     "run: chmod 600 "},
    {"folder_for_key",
     [](TlsSite& s) {
       unlink(s.key.c_str());
       std::filesystem::create_directory(s.key);
     },
     "key.pem", "is not a plain file"},
    {"pipe_for_key",
     [](TlsSite& s) {
       unlink(s.key.c_str());
       mkfifo(s.key.c_str(), 0600);
     },
     "key.pem", "is not a plain file"},
    {"too_large", [](TlsSite& s) { s.put(s.certificate, std::string(kPemBytesMax + 1, 'x')); },
     "cert.pem", "over 1 MiB"},
};

class BadPairTest : public TlsSite, public testing::WithParamInterface<BadPair> {};
TEST_P(BadPairTest, IsRefusedWithFileAndReason) {
  GetParam().spoil(*this);
  const auto loaded = TlsContext::load(certificate, key, log);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::kConfig);
  const auto said = describe(loaded.error());
  EXPECT_NE(said.find(dir + "/" + GetParam().file), std::string::npos) << said;
  EXPECT_NE(said.find(GetParam().says), std::string::npos) << said;
}
INSTANTIATE_TEST_SUITE_P(Tls, BadPairTest, testing::ValuesIn(kBadPairs),
                         [](const auto& i) { return i.param.name; });

TEST_F(TlsContextTest, AFileOfTheGreatestSizeIsRead) {
  const auto own = text(certificate);
  put(certificate, own + std::string(kPemBytesMax - own.size(), '\n'));
  EXPECT_TRUE(TlsContext::load(certificate, key, log));
}

TEST_F(TlsContextTest, AnotherUsersKeyIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  ASSERT_EQ(chown(key.c_str(), 20002, 20002), 0);
  const auto loaded = TlsContext::load(certificate, key, log);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().detail.find("belongs to another user"), std::string::npos);
}

struct KeyModeCase {
  uid_t owner;
  mode_t mode;
  uid_t own;
  const char* says;  // "": nothing is wrong
};
TEST(TlsKeyTroubleTest, WhoMayReadAKey) {
  constexpr KeyModeCase kCases[] = {
      {1000, 0600, 1000, ""},
      {1000, 0400, 1000, ""},
      {1000, 0640, 1000, "run: chmod 600 "},
      {1000, 0604, 1000, "run: chmod 600 "},
      {1000, 0610, 1000, "run: chmod 600 "},
      {0, 0600, 1000, ""},
      {0, 0640, 1000, ""},  // the group ssl-cert of Debian; the list of LoadCredential
      {0, 0440, 1000, ""},
      {0, 0660, 1000, "run: chmod 640 "},
      {0, 0644, 1000, "run: chmod 640 "},
      {0, 0640, 0, "run: chmod 600 "},
      {1001, 0600, 1000, "run: chown 1000 "},
      {1001, 0600, 0, "run: chown 0 "},
  };
  for (const auto& c : kCases) {
    const auto trouble = tls_key_trouble(c.owner, c.mode, c.own);
    EXPECT_EQ(trouble.empty(), *c.says == '\0') << c.owner << std::oct << " " << c.mode;
    EXPECT_TRUE(trouble.ends_with(c.says)) << trouble;
  }
}

TEST_F(TlsContextTest, WhatHasExpiredOrIsNotValidYetIsSaid) {
  put_certificate(make_certificate("old", -7200, -3600));
  EXPECT_TRUE(TlsContext::load(certificate, key, log));
  EXPECT_NE(logged.find("has expired"), std::string::npos) << logged;
  EXPECT_NE(logged.find(certificate), std::string::npos) << logged;
  logged.clear();
  put_certificate(make_certificate("early", 3600, 7200));
  EXPECT_TRUE(TlsContext::load(certificate, key, log));
  EXPECT_NE(logged.find("is not valid yet"), std::string::npos) << logged;
}

std::string name_after_handshake(const TlsContext& context) {
  const auto server = context.new_session();
  HandTlsClient client;
  SSL_set_bio(server->get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  const auto hello = client.step();
  BIO_write(SSL_get_rbio(server->get()), hello.data(), static_cast<int>(hello.size()));
  SSL_do_handshake(server->get());
  client.step(text_of_bio(SSL_get_wbio(server->get())));
  return client.server_name();
}

TEST_F(TlsContextTest, ReloadTakesTheNewCertificate) {
  ASSERT_EQ(name_after_handshake(*context), "first");
  put_certificate(make_certificate("second"));
  EXPECT_EQ(name_after_handshake(*context), "first") << "not before it is asked to";
  EXPECT_TRUE(context->reload());
  EXPECT_EQ(name_after_handshake(*context), "second");
}

TEST_F(TlsContextTest, AReloadThatFailsKeepsTheOldOneAndSaysSo) {
  put(certificate, "half a ");
  const auto reloaded = context->reload();
  ASSERT_FALSE(reloaded);
  EXPECT_EQ(reloaded.error().code, Errc::kConfig);
  EXPECT_NE(logged.find("the one from before stays in use"), std::string::npos) << logged;
  EXPECT_NE(logged.find(certificate), std::string::npos) << logged;
  EXPECT_EQ(name_after_handshake(*context), "first");
}

}  // namespace
}  // namespace hpc
