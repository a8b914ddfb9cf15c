#include "manager/gateway/tls_stream.h"

#include <malloc.h>

#include <algorithm>
#include <string>

#include "common/tcp_stream.h"
#include "tests/support/fake_stream.h"
#include "tests/support/stream_contract.h"
#include "tests/support/tls_site.h"

namespace hpc {
namespace {

constexpr std::uint64_t kHandshakeMs = 10'000;
constexpr int kApplicationData = 23;  // RFC 8446, 5.1

/// TLS over TCP; which of the two ends is under test is the caller's choice.
class TlsEnvironment final : public StreamEnvironment {
 public:
  explicit TlsEnvironment(bool server_is_ours) : server_is_ours_(server_is_ours) { site_.SetUp(); }
  Loop& loop() override { return loop_; }
  StreamPair connect() override {
    std::unique_ptr<Stream> accepted, connected;
    auto listener = TcpListener::listen(loop_, "127.0.0.1", 0,
                                        [&accepted](auto stream) { accepted = std::move(stream); });
    if (!listener) return {};
    const auto pending = connect_tcp(loop_, "127.0.0.1", (*listener)->port(), 5000,
                                     [&](auto result) { connected = std::move(*result); });
    run_until(loop_, [&] { return accepted && connected; });
    auto server = std::make_unique<TlsStream>(loop_, std::move(accepted),
                                              *site_.context->new_session(), kHandshakeMs);
    auto client = std::make_unique<TlsStream>(loop_, std::move(connected), make_tls_client(offer),
                                              kHandshakeMs);
    if (server_is_ours_) return {std::move(server), std::move(client)};
    return {std::move(client), std::move(server)};
  }
  TlsOffer offer;

 private:
  bool server_is_ours_;
  Loop loop_;
  TlsSite site_;
};

std::unique_ptr<StreamEnvironment> make_server() { return std::make_unique<TlsEnvironment>(true); }
std::unique_ptr<StreamEnvironment> make_client() { return std::make_unique<TlsEnvironment>(false); }
std::unique_ptr<StreamEnvironment> make_tls12_server() {
  auto environment = std::make_unique<TlsEnvironment>(true);
  environment->offer.version_max = TLS1_2_VERSION;
  return environment;
}

INSTANTIATE_TEST_SUITE_P(Tls, StreamContractTest,
                         ::testing::Values(StreamKind{"tls_server", &make_server},
                                           StreamKind{"tls_client", &make_client},
                                           StreamKind{"tls12_server", &make_tls12_server}));

/// A server's stream over a fake, and a client that the test drives by hand.
struct TlsStreamTest : TlsSite {
  void SetUp() override {
    TlsSite::SetUp();
    begin();
  }
  /// A new connection.
  void begin(const TlsOffer& offer = {}, std::uint64_t handshake_ms = kHandshakeMs) {
    stream.reset();
    settle(loop);
    server = Recorder();
    auto fake = std::make_unique<FakeStream>();
    below = fake.get();
    stream =
        std::make_unique<TlsStream>(loop, std::move(fake), *context->new_session(), handshake_ms);
    client = std::make_unique<HandTlsClient>(offer);
    stream->start(server);
  }
  std::string take_written() { return std::exchange(below->written, {}); }
  /// Sends what the client has to say and brings back what the server answers.
  void deliver(std::string_view bytes) {
    if (!bytes.empty()) below->deliver(bytes);
  }
  void handshake() {
    deliver(client->step());
    deliver(client->step(take_written()));
    client->step(take_written());  // the tickets
  }
  void TearDown() override {
    stream.reset();
    settle(loop);
  }

  Loop loop;
  FakeStream* below = nullptr;
  Recorder server;
  std::unique_ptr<TlsStream> stream;
  std::unique_ptr<HandTlsClient> client;
};

TEST_F(TlsStreamTest, CarriesBytesBothWays) {
  handshake();
  deliver(client->send("GET / HTTP/1.1"));
  EXPECT_EQ(server.received, "GET / HTTP/1.1");
  stream->write(as_bytes("HTTP/1.1 200 OK"));
  client->step(take_written());
  EXPECT_EQ(client->received, "HTTP/1.1 200 OK");
  EXPECT_STREQ(SSL_get_version(client->session.get()), "TLSv1.3");
}

// However TCP cuts the bytes of a whole short connection.
TEST_F(TlsStreamTest, EverySplitPointOfTheHandshake) {
  std::size_t flight = 1;
  for (std::size_t cut = 0; cut <= flight; ++cut) {
    begin();
    for (int round = 0; round < 2; ++round) {
      auto bytes = client->step(take_written());
      if (round == 1) {
        bytes += client->send("hello");
        bytes += client->send_close_notify();
      }
      flight = std::max(flight, bytes.size());
      deliver(std::string_view(bytes).substr(0, cut));
      deliver(std::string_view(bytes).substr(std::min(cut, bytes.size())));
    }
    ASSERT_EQ(server.received, "hello") << "cut at " << cut;
    ASSERT_EQ(server.ends, 1) << "cut at " << cut;
  }
  EXPECT_GT(flight, 200U) << "a client's hello was cut at every byte";
}

TEST_F(TlsStreamTest, ByteByByte) {
  for (int round = 0; round < 2; ++round) {
    auto bytes = client->step(take_written());
    if (round == 1) bytes += client->send("hello");
    for (const char byte : bytes) deliver({&byte, 1});
  }
  EXPECT_EQ(server.received, "hello");
}

TEST_F(TlsStreamTest, RubbishGetsAnAlertAndTheEnd) {
  for (const auto* rubbish : {"SSH-2.0-OpenSSH_9.2\r\n", "\x16\x03\x01\x00\x05hello",
                              "\x17\x03\x03\x00\x05hello", "\x80\x2e\x01\x03\x01 old hello"}) {
    begin();
    deliver(std::string(rubbish) + std::string(64, '\0'));
    EXPECT_EQ(server.closes, 0) << "in a later turn";
    EXPECT_TRUE(below->half_closed) << rubbish;
    EXPECT_TRUE(below->written.empty() || below->written[0] == 21) << "nothing but an alert";
    settle(loop);
    EXPECT_EQ(server.closes, 1);
    ASSERT_FALSE(server.why);
    EXPECT_EQ(server.why.error().code, Errc::kBadRequest);
    EXPECT_FALSE(server.why.error().detail.empty());
    EXPECT_EQ(server.received, "");
  }
}

TEST_F(TlsStreamTest, PlainHttpIsToldToUseHttps) {
  deliver("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  EXPECT_TRUE(below->written.starts_with("HTTP/1.1 400 Bad Request\r\n")) << below->written;
  EXPECT_NE(below->written.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_NE(below->written.find("https://"), std::string::npos);
  EXPECT_TRUE(below->half_closed);
  settle(loop);
  ASSERT_FALSE(server.why);
  EXPECT_EQ(server.why.error().code, Errc::kBadRequest);
}

TEST_F(TlsStreamTest, OldVersionsAreRefused) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    begin({version, version, ""});
    handshake();
    EXPECT_NE(client->error.find("protocol version"), std::string::npos) << client->error;
    settle(loop);
    EXPECT_FALSE(server.why);
    EXPECT_EQ(server.closes, 1);
  }
  begin({TLS1_2_VERSION, TLS1_2_VERSION, ""});
  handshake();
  EXPECT_STREQ(SSL_get_version(client->session.get()), "TLSv1.2");
}

TEST_F(TlsStreamTest, OldCiphersAreRefused) {
  begin({TLS1_2_VERSION, TLS1_2_VERSION, ""});
  SSL_set_cipher_list(client->session.get(), "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384");
  handshake();
  EXPECT_NE(client->error.find("handshake failure"), std::string::npos) << client->error;
}

TEST_F(TlsStreamTest, Http11IsTheOnlyProtocol) {
  begin({0, 0, "\x02h2\x08http/1.1"});
  handshake();
  const unsigned char* chosen = nullptr;
  unsigned chosen_bytes = 0;
  SSL_get0_alpn_selected(client->session.get(), &chosen, &chosen_bytes);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), chosen_bytes), "http/1.1");
  begin({0, 0, "\x02h2"});
  handshake();
  EXPECT_NE(client->error.find("no application protocol"), std::string::npos) << client->error;
}

TEST_F(TlsStreamTest, RenegotiationIsRefused) {
  begin({TLS1_2_VERSION, TLS1_2_VERSION, ""});
  handshake();
  SSL_renegotiate(client->session.get());
  deliver(client->step());
  client->step(take_written());
  EXPECT_NE(client->error.find("no renegotiation"), std::string::npos) << client->error;
}

TEST_F(TlsStreamTest, KeysMayBeUpdated) {
  handshake();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(SSL_key_update(client->session.get(), SSL_KEY_UPDATE_REQUESTED), 1);
    deliver(client->send("x"));
    stream->write(as_bytes("y"));
    client->step(take_written());
  }
  EXPECT_EQ(server.received, std::string(100, 'x'));
  EXPECT_EQ(client->received, std::string(100, 'y'));
}

// ------------------------------------------------------------------------------------------- ends
TEST_F(TlsStreamTest, CloseNotifyIsAHalfClose) {
  handshake();
  deliver(client->send("request"));
  deliver(client->send_close_notify());
  EXPECT_EQ(server.received, "request");
  EXPECT_EQ(server.ends, 1);
  EXPECT_EQ(stream->far_end(), FarEnd::kEnded);
  stream->write(as_bytes("late answer"));
  below->drain();
  settle(loop);
  EXPECT_EQ(server.closes, 0);
  stream->shutdown_write();
  EXPECT_TRUE(below->half_closed);
  client->step(take_written());
  EXPECT_EQ(client->received, "late answer");
  EXPECT_TRUE(client->server_ended());
  settle(loop);
  EXPECT_EQ(server.closes, 0) << "not before the last byte is on its way";
  below->drain();
  settle(loop);
  EXPECT_EQ(server.closes, 1) << "whether or not the connection below ends";
  EXPECT_TRUE(server.why);
}

TEST_F(TlsStreamTest, WhatFollowsACloseNotifyIsIgnored) {
  handshake();
  deliver(client->send_close_notify());
  deliver("rubbish");
  EXPECT_EQ(below->paused, 0U) << "it is not kept";
  below->deliver_end();
  settle(loop);
  EXPECT_EQ(server.received, "");
  EXPECT_EQ(server.ends, 1);
  EXPECT_EQ(server.closes, 0);
}

TEST_F(TlsStreamTest, AnEndWithoutCloseNotifyIsAFailure) {
  handshake();
  deliver(client->send("half a "));
  below->deliver_end();
  settle(loop);
  EXPECT_EQ(server.received, "half a ");
  EXPECT_EQ(server.ends, 0);
  ASSERT_EQ(server.closes, 1);
  ASSERT_FALSE(server.why);
  EXPECT_EQ(server.why.error().code, Errc::kNetwork);
}

TEST_F(TlsStreamTest, AnEndInTheHandshakeIsAFailure) {
  deliver(client->step().substr(0, 100));
  below->deliver_end();
  settle(loop);
  ASSERT_EQ(server.closes, 1);
  ASSERT_FALSE(server.why);
  EXPECT_EQ(server.why.error().code, Errc::kNetwork);
}

TEST_F(TlsStreamTest, ARecordThatWasChangedIsAFailure) {
  handshake();
  auto record = client->send("pay 10 to bob");
  record[record.size() / 2] ^= 1;
  deliver(record);
  settle(loop);
  EXPECT_EQ(server.received, "");
  ASSERT_EQ(server.closes, 1);
  EXPECT_EQ(server.why.error().code, Errc::kBadRequest);
}

TEST_F(TlsStreamTest, AHandshakeHasADeadline) {
  begin({}, 1);
  deliver(client->step());
  ASSERT_TRUE(run_until(loop, [&] { return server.closes == 1; }));
  EXPECT_EQ(server.why.error().code, Errc::kTimeout);
}

TEST_F(TlsStreamTest, AfterTheHandshakeThereIsNoDeadline) {
  begin({}, 1);
  handshake();
  bool later = false;
  Timer timer(loop, [&] { later = true; });
  timer.start(5);
  ASSERT_TRUE(run_until(loop, [&] { return later; }));
  EXPECT_EQ(server.closes, 0);
}

TEST_F(TlsStreamTest, AnAbortPassesDown) {
  handshake();
  stream->abort({Errc::kTimeout, "client", "too slow"});
  ASSERT_TRUE(below->failure());
  EXPECT_EQ(below->failure()->detail, "too slow");
  deliver(client->send("late"));
  EXPECT_EQ(server.received, "");
  below->turn();
  EXPECT_EQ(server.closes, 1);
  EXPECT_EQ(server.why.error().code, Errc::kTimeout);
}

// ----------------------------------------------------------------------------------------- bounds
TEST_F(TlsStreamTest, PausesPassDownOnceTheHandshakeIsDone) {
  stream->pause_read(PauseReason::kNoUpstream);
  EXPECT_EQ(below->paused, 0U);
  handshake();
  EXPECT_NE(below->paused, 0U);
  stream->pause_read(PauseReason::kMemoryBound);
  stream->resume_read(PauseReason::kNoUpstream);
  EXPECT_NE(below->paused, 0U);
  stream->resume_read(PauseReason::kMemoryBound);
  EXPECT_EQ(below->paused, 0U);
}

/// Pauses its stream inside the first on_data().
struct PausingRecorder final : Stream::Listener {
  explicit PausingRecorder(Stream& paused) : stream(paused) {}
  void on_data(Bytes bytes) noexcept override {
    received.append(as_text(bytes));
    stream.pause_read(PauseReason::kPeerQueueFull);
  }
  void on_end() noexcept override { ++ends; }
  void on_drain() noexcept override {}
  void on_close(const Status&) noexcept override {}
  Stream& stream;
  std::string received;
  int ends = 0;
};

TEST_F(TlsStreamTest, APauseInTheMiddleOfAReadHoldsTheRest) {
  handshake();
  PausingRecorder slow(*stream);
  stream->start(slow);
  auto bytes = client->send("one ");
  bytes += client->send("two ");
  bytes += client->send_close_notify();
  deliver(bytes);
  settle(loop);
  EXPECT_EQ(slow.received, "one ");
  stream->resume_read(PauseReason::kPeerQueueFull);
  EXPECT_EQ(slow.received, "one ") << "not from inside resume_read()";
  EXPECT_NE(below->paused, 0U) << "no more is let in before this is taken";
  settle(loop);
  EXPECT_EQ(slow.received, "one two ");
  EXPECT_EQ(slow.ends, 0);
  stream->resume_read(PauseReason::kPeerQueueFull);
  settle(loop);
  EXPECT_EQ(slow.ends, 1);
  EXPECT_EQ(below->paused, 0U);
  stream->start(server);
}

TEST_F(TlsStreamTest, WhatIsReadNextComesAfterWhatIsHeld) {
  handshake();
  PausingRecorder slow(*stream);
  stream->start(slow);
  auto bytes = client->send("one ");
  bytes += client->send("two ");
  deliver(bytes);
  stream->resume_read(PauseReason::kPeerQueueFull);
  deliver(client->send("three"));  // before the loop has turned
  stream->resume_read(PauseReason::kPeerQueueFull);
  stream->start(server);
  settle(loop);
  EXPECT_EQ(slow.received + server.received, "one two three");
}

TEST_F(TlsStreamTest, WhatIsWrittenEarlyWaitsForTheHandshake) {
  stream->write(as_bytes("503 too many"));
  stream->shutdown_write();
  EXPECT_EQ(stream->queued_bytes(), 12U);
  EXPECT_EQ(below->written, "");
  EXPECT_FALSE(below->half_closed);
  handshake();
  EXPECT_EQ(client->received, "503 too many");
  EXPECT_TRUE(client->server_ended());
  EXPECT_TRUE(below->half_closed);
}

TEST_F(TlsStreamTest, SmallPartsShareARecord) {
  handshake();
  take_written();
  const Bytes parts[] = {as_bytes("5\r\n"), as_bytes("hello"), as_bytes("\r\n")};
  const int writes = below->writes;
  stream->write_parts(parts);
  const auto sealed = take_written();
  EXPECT_EQ(below->writes, writes + 1);
  ASSERT_GT(sealed.size(), 5U);
  EXPECT_EQ(sealed[0], kApplicationData);
  const auto length =
      static_cast<unsigned char>(sealed[3]) * 256U + static_cast<unsigned char>(sealed[4]);
  EXPECT_EQ(sealed.size(), 5U + length) << "one record";
  client->step(sealed);
  EXPECT_EQ(client->received, "5\r\nhello\r\n");
}

TEST_F(TlsStreamTest, EverySizeAroundARecord) {
  handshake();
  const auto text = numbered_bytes(200'000);
  std::string wanted;
  for (const std::size_t size : {1, 16383, 16384, 16385, 65535, 65536, 65537, 131073}) {
    const Bytes parts[] = {as_bytes("<"), as_bytes(std::string_view(text).substr(0, size)),
                           as_bytes(">")};
    stream->write_parts(parts);
    wanted += "<" + text.substr(0, size) + ">";
    client->step(take_written());
  }
  EXPECT_TRUE(client->received == wanted);
}

TEST_F(TlsStreamTest, QueuedBytesAreThoseOfTheStreamBelow) {
  handshake();
  below->queued = 0;
  stream->write(as_bytes(std::string(100'000, 'x')));
  EXPECT_EQ(stream->queued_bytes(), below->queued);
  EXPECT_GT(stream->queued_bytes(), 100'000U);
  const int drains = server.drains;
  below->drain();
  EXPECT_EQ(server.drains, drains + 1);
}

TEST_F(TlsStreamTest, AReloadKeepsOpenConnections) {
  handshake();
  put_certificate(make_certificate("second"));
  ASSERT_TRUE(context->reload());
  deliver(client->send("still here"));
  EXPECT_EQ(server.received, "still here");
  EXPECT_EQ(client->server_name(), "first");
  begin();
  handshake();
  EXPECT_EQ(client->server_name(), "second");
}

// -------------------------------------------------------------------------- over real connections
/// Writes `total` bytes as fast as the other end takes them; reads, and pauses after every read.
struct Pump final : Stream::Listener {
  explicit Pump(Loop& loop_of_both, std::size_t bytes) : loop(loop_of_both), left(bytes) {}
  void go(Stream& over) {
    stream = &over;
    stream->start(*this);
    write();
  }
  void write() {
    while (left > 0 && stream->queued_bytes() < kQueueBytesMax) {
      stream->write(as_bytes(block));
      left -= block.size();
      queued_max = std::max(queued_max, stream->queued_bytes());
    }
  }
  void on_data(Bytes bytes) noexcept override {
    received += bytes.size();
    stream->pause_read(PauseReason::kPeerQueueFull);
    loop.post([this] { stream->resume_read(PauseReason::kPeerQueueFull); });
  }
  void on_end() noexcept override {}
  void on_drain() noexcept override { write(); }
  void on_close(const Status&) noexcept override { ++closes; }
  Loop& loop;
  Stream* stream = nullptr;
  std::string block = std::string(std::size_t{64} * 1024, 'x');
  std::size_t left;
  std::size_t received = 0;
  std::size_t queued_max = 0;
  int closes = 0;
};

TEST(TlsStreamBoundTest, SixtyFourMebibytesBothWaysThroughSlowReaders) {
  constexpr std::size_t kTotal = std::size_t{64} * 1024 * 1024;
  TlsEnvironment environment(true);
  auto pair = environment.connect();
  Pump ours(environment.loop(), kTotal), theirs(environment.loop(), kTotal);
  const auto before = mallinfo2().uordblks + mallinfo2().hblkhd;
  ours.go(*pair.ours);
  theirs.go(*pair.theirs);
  std::size_t memory_max = 0;
  int turn = 0;
  ASSERT_TRUE(run_until(environment.loop(), [&] {
    if (++turn % 16 == 0) {
      memory_max = std::max<std::size_t>(memory_max, mallinfo2().uordblks + mallinfo2().hblkhd);
    }
    return ours.received == kTotal && theirs.received == kTotal;
  }));
  EXPECT_LT(ours.queued_max, kQueueBytesMax + ours.block.size() + 4096);
  EXPECT_LT(memory_max - before, std::size_t{2} * 1024 * 1024);
  EXPECT_EQ(ours.closes + theirs.closes, 0);
  settle(environment.loop());  // what on_data() posted
}

}  // namespace
}  // namespace hpc
