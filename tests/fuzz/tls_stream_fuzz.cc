// What comes in at the TLS port, before the handshake or after one: nothing that its owner did not
// send gets through, and there is one end.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "manager/gateway/tls_context.h"
#include "manager/gateway/tls_stream.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/fake_stream.h"
#include "tests/support/tls_client.h"

namespace hpc {
namespace {

struct World {
  World() {
    char dir[] = "/tmp/hpc-tls-fuzz.XXXXXX";
    require(mkdtemp(dir) != nullptr, "a directory");
    const std::string certificate = std::string(dir) + "/cert.pem";
    const std::string key = std::string(dir) + "/key.pem";
    const auto made = make_certificate("fuzz");
    umask(077);
    std::ofstream(certificate) << made.certificate;
    std::ofstream(key) << made.key;
    auto loaded = TlsContext::load(certificate, key, log);
    unlink(certificate.c_str());
    unlink(key.c_str());
    rmdir(dir);
    require(loaded.has_value(), "a certificate of our own");
    context = std::move(*loaded);
  }
  Log log{LogLevel::kError, LogFormat::kText};
  std::unique_ptr<TlsContext> context;
};

struct Reader final : Stream::Listener {
  void on_data(Bytes bytes) noexcept override {
    require(closes == 0 && ends == 0, "no bytes after an end");
    received.append(as_text(bytes));
    if (pauses != nullptr) pauses->pause_read(PauseReason::kPeerQueueFull);
  }
  void on_end() noexcept override { require(closes == 0 && ++ends == 1, "one end"); }
  void on_drain() noexcept override {}
  void on_close(const Status&) noexcept override { require(++closes == 1, "one close"); }
  std::string received;
  Stream* pauses = nullptr;
  int ends = 0;
  int closes = 0;
};

void turn(Loop& loop) {
  for (int i = 0; i < 4; ++i) loop.turn();
}

void run(const TlsContext& context, unsigned how, std::string_view text) {
  Loop loop;
  Reader reader;
  auto fake = std::make_unique<FakeStream>();
  FakeStream& below = *fake;
  TlsStream stream(loop, std::move(fake), *context.new_session(), 10'000);
  stream.start(reader);
  std::string wanted;
  const auto deliver = [&](std::string_view bytes) {
    FuzzCuts cuts(bytes);
    // The stream takes the one below away when it fails.
    while (!bytes.empty() && stream.far_end() != FarEnd::kCut) {
      const auto piece = bytes.substr(0, cuts.next());
      below.deliver(piece);
      bytes.remove_prefix(piece.size());
      if ((how & 4U) != 0) {
        turn(loop);
        stream.resume_read(PauseReason::kPeerQueueFull);
      }
    }
  };
  if ((how & 4U) != 0) reader.pauses = &stream;
  if ((how & 1U) != 0) {
    HandTlsClient client({0, (how & 2U) != 0 ? TLS1_2_VERSION : 0, ""});
    deliver(client.step());
    deliver(client.step(std::exchange(below.written, {})));
    deliver(client.step(std::exchange(below.written, {})));
    wanted = "hello";
    deliver(client.send(wanted));
    if ((how & 8U) != 0) {
      wanted += text;
      if (!text.empty()) deliver(client.send(text));
      text = {};
    }
  }
  deliver(text);
  for (int i = 0; i < 64; ++i) {
    stream.resume_read(PauseReason::kPeerQueueFull);
    turn(loop);
  }
  require(reader.received == wanted, "what was sent under the keys, and nothing else");
  if ((how & 16U) != 0) stream.abort({Errc::kNetwork, "fuzz", "cut"});
  if (stream.far_end() != FarEnd::kCut) below.deliver_end();
  turn(loop);
  require(reader.closes == 1 || (how & 16U) != 0 || reader.ends == 1, "it ended");
}

}  // namespace
}  // namespace hpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const hpc::World world;
  if (size == 0) return 0;
  hpc::run(*world.context, data[0], hpc::fuzz_text(data + 1, size - 1));
  return 0;
}
