#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/http_server.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/pass_through.h"

namespace hpc {

/// The engine between fake clients and a fake far end. Targets under /local are answered by the
/// handler, /stranger is not let in, everything else is forwarded (/of/NAME as NAME's traffic).
struct ServerFixture : LoopFixture, HttpHandler {
  FakeConnector connector;
  UpstreamPool pool{loop, connector};
  HttpServerOptions options;
  PassThrough::MakeFilter filter;  // of every answer; empty: none
  std::string chosen_target;       // of every forwarded request; empty: its own
  std::unique_ptr<HttpServer> server;

  Decision on_request(const RequestHead& head, ClientInfo& client) override {
    if (head.target == "/stranger") return LocalAnswer{401, {}, "who?", false};
    client.authenticated = true;
    if (head.target.starts_with("/local"))
      return LocalAnswer{200, {}, "here:" + head.target, false};
    const auto owner = head.target.starts_with("/of/") ? head.target.substr(4) : std::string();
    return Forward{&pool, "app", head.target, std::make_unique<PassThrough>(filter, chosen_target),
                   owner};
  }
  LocalAnswer on_refusal(int status, std::string_view detail) override {
    return {status, {}, "refused: " + std::string(detail), true};
  }

  void start_server() { server = std::make_unique<HttpServer>(loop, *this, options); }

  /// A new client connection; owned by the server.
  FakeStream* connect() {
    if (!server) start_server();
    auto stream = std::make_unique<FakeStream>();
    auto* raw = stream.get();
    server->adopt(std::move(stream), ClientInfo{});
    return raw;
  }
  /// connect(), deliver `request`, accept the upstream connection if one is asked for.
  std::pair<FakeStream*, FakeStream*> exchange(std::string_view request) {
    auto* client = connect();
    client->deliver(request);
    auto* app = connector.accept();
    if (app != nullptr) app->queued = 0;  // the kernel took the whole request
    return {client, app};
  }
  void TearDown() override {
    server.reset();
    pool.close();
    settle(loop);
  }
};

}  // namespace hpc
