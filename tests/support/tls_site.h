#pragma once
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/log.h"
#include "manager/gateway/tls_context.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tls_client.h"

namespace hpc {

/// Certificate and key in files, and the context that has read them.
struct TlsSite : TempDirFixture {
  void put_certificate(const TestCertificate& made) {
    put(certificate, made.certificate);
    put(key, made.key);
    chmod(key.c_str(), 0600);
  }
  void SetUp() override {
    put_certificate(make_certificate("first"));
    auto loaded = TlsContext::load(certificate, key, log);
    ASSERT_TRUE(loaded) << describe(loaded.error());
    context = std::move(*loaded);
  }
  void TestBody() override {}  // so that a stream environment can own one

  std::string certificate = dir + "/cert.pem";
  std::string key = dir + "/key.pem";
  std::string logged;
  Log log{LogLevel::kInfo, LogFormat::kText, [this](std::string_view line) {
            logged.append(line);
            logged.append("\n");
          }};
  std::unique_ptr<TlsContext> context;
};

}  // namespace hpc
