// The gateway of `serve` behind the real engine, byte for byte: what an app sees, what it can set,
// and that two answers that must be equal are so on the wire, too.
#include <gtest/gtest.h>

#include <string>

#include "common/http_server.h"
#include "tests/support/gateway_fixture.h"
#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

const std::string kVscode = "00000000000000000000000000000001";

struct ServeWireTest : GatewayFixture {
  ServeWireTest() {
    sessions.add({"alice", "main", "vscode", 1});
    sessions.add({"alice", "main", "old", 1}, SessionState::kEnded);
    alice = "hpc-manager-8000=" + make_token("alice", TokenKind::kLogin);
    bob = "hpc-manager-8000=" + make_token("bob", TokenKind::kLogin);
  }
  void TearDown() override {
    server.reset();
    sessions.pool_of(kVscode).close();
    settle(loop);
  }
  FakeConnector& tunnel() { return sessions.connector_of(kVscode); }
  /// A browser that has sent `text`.
  FakeStream* send(const std::string& text) {
    auto stream = std::make_unique<FakeStream>();
    auto* raw = stream.get();
    ClientInfo info;
    info.peer_address = "127.0.0.1";
    server->adopt(std::move(stream), info);
    raw->deliver(text);
    return raw;
  }
  static std::string get(const std::string& target, const std::string& cookie,
                         const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nCookie: " + cookie + "\r\n" +
           fields + "\r\n";
  }
  static std::string handshake() {
    return "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://127.0.0.1:8000\r\n";
  }

  std::unique_ptr<HttpServer> server =
      std::make_unique<HttpServer>(loop, *gateway, HttpServerOptions{});
  std::string alice, bob;
};

TEST_F(ServeWireTest, AHostileAppGetsNothingOfOursAndSetsNothing) {
  auto* browser = send(get("/user/alice/main/vscode/port/5500/", alice + "; theme=dark",
                           "Authorization: Bearer hpm_secret\r\n"));
  EXPECT_EQ(browser->written.substr(0, 12), "HTTP/1.1 401") << "a wrong token is nobody";
  browser = send(get("/user/alice/main/vscode/port/5500/", alice + "; theme=dark"));
  auto* app = tunnel().accept();
  ASSERT_NE(app, nullptr);
  EXPECT_EQ(app->written.find("hpm_"), std::string::npos) << app->written;
  EXPECT_EQ(app->written.find("hpc-manager"), std::string::npos) << app->written;
  EXPECT_NE(app->written.find("Cookie: theme=dark\r\n"), std::string::npos) << app->written;
  app->deliver(
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: hpc-manager-8000=evil; Path=/\r\n"
      "Set-Cookie: __Host-hpc-manager=evil; Path=/; Secure\r\n"
      "Set-Cookie: hpc-manager-8000-attempt=evil\r\nSet-Cookie: mine=1\r\n"
      "Clear-Site-Data: \"cookies\"\r\n\r\nok");
  EXPECT_EQ(browser->written,
            "HTTP/1.1 200 OK\r\nSet-Cookie: mine=1\r\nContent-Length: 2\r\n\r\nok");
}

TEST_F(ServeWireTest, AWebSocketOfTheOwnerGoesThrough) {
  auto* browser = send(get("/user/alice/main/vscode/port/5500/ws", alice, handshake()));
  auto* app = tunnel().accept();
  ASSERT_NE(app, nullptr);
  EXPECT_EQ(app->written.rfind("GET /port/5500/ws HTTP/1.1\r\n", 0), 0U) << app->written;
  EXPECT_NE(app->written.find("X-Forwarded-Prefix: /user/alice/main/vscode/port/5500\r\n"),
            std::string::npos);
  EXPECT_EQ(app->written.find("hpm_"), std::string::npos) << app->written;
  app->deliver(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  EXPECT_EQ(browser->written.substr(0, 12), "HTTP/1.1 101");
}

TEST_F(ServeWireTest, AForeignSessionAnswersTheVeryBytesOfNone) {
  const auto written = [&](const std::string& base, const std::string& fields) {
    std::string all;
    for (const char* tail : {"", "/", "/x?y", "/ports", "/port/5500", "/port/5500/ws"}) {
      all += send(get(base + tail, bob, fields))->written;
      all += send("DELETE " + base + tail + " HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nCookie: " + bob +
                  "\r\n" + fields + "\r\n")
                 ->written;
    }
    return all;
  };
  for (const std::string& fields :
       {std::string(), handshake(), std::string("Accept: text/html\r\n"),
        std::string("Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n")}) {
    const auto none = written("/user/alice/main/nothing", fields);
    EXPECT_NE(none, "");
    EXPECT_EQ(none.find("HTTP/1.1 2"), std::string::npos);
    EXPECT_EQ(written("/user/alice/main/vscode", fields), none) << fields;
    EXPECT_EQ(written("/user/alice/main/old", fields), none) << fields;
    EXPECT_EQ(written("/user/nosuch/other/ide~2", fields), none) << fields;
  }
  EXPECT_EQ(tunnel().attempts.size(), 0U) << "and no byte went to the session";
}

TEST_F(ServeWireTest, ALoginIsTakenFromAFormAndTheConnectionSaysNothingElse) {
  const auto token = make_token("alice", TokenKind::kApi);
  const std::string body = "token=" + token + "&next=/user/alice/main/vscode/";
  auto* browser = send(
      "POST /login HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nOrigin: http://127.0.0.1:8000\r\n"
      "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  settle(loop);
  EXPECT_EQ(browser->written, "") << "not before the login is stored";
  store.commit();
  settle(loop);
  EXPECT_EQ(browser->written.rfind("HTTP/1.1 303 See Other\r\n", 0), 0U) << browser->written;
  EXPECT_NE(browser->written.find("Location: /user/alice/main/vscode/\r\n"), std::string::npos);
  EXPECT_NE(browser->written.find("Set-Cookie: hpc-manager-8000=hpm_"), std::string::npos);
  EXPECT_EQ(browser->written.find(token), std::string::npos);
}

TEST_F(ServeWireTest, ABrowserThatLeavesBeforeTheLoginIsStoredHarmsNobody) {
  const std::string body = "token=" + make_token("alice", TokenKind::kApi);
  auto* browser = send(
      "POST /login HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
      "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  browser->abort({Errc::kNetwork, "tcp", "reset"});
  browser->turn();
  settle(loop);
  store.commit();
  settle(loop);
  SUCCEED() << "the answer finds nobody";
}

}  // namespace
}  // namespace hpc
