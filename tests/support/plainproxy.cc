// plainproxy --to ADDRESS:PORT [--port N] [--head-timeout MS]
//   The engine alone, for other people's proxy tests: every request of every path goes to
//   ADDRESS:PORT, unchanged but for what the engine itself does. No owner, no token, no routes, no
//   rewriting. Prints its own port of 127.0.0.1, a free one without --port, and runs until SIGTERM.
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "common/http_server.h"
#include "common/tcp_stream.h"
#include "tests/support/pass_through.h"

namespace hpc {
namespace {

constexpr std::uint64_t kConnectMs = 5000;

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size();
}

bool parse_address(std::string_view text, Address& out) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  out.host = text.substr(0, colon);
  return parse_number(text.substr(colon + 1), out.port) && out.port != 0;
}

class OneTarget final : public Connector {
 public:
  OneTarget(Loop& loop, Address to) : loop_(loop), to_(std::move(to)) {}
  std::unique_ptr<Pending> connect(const std::string&, ConnectDone done) override {
    return connect_tcp(loop_, to_.host, to_.port, kConnectMs, std::move(done));
  }

 private:
  Loop& loop_;
  Address to_;
};

class ForwardEverything final : public HttpHandler {
 public:
  explicit ForwardEverything(UpstreamPool& pool) : pool_(pool) {}
  Decision on_request(const RequestHead& head, ClientInfo& client) override {
    client.authenticated = true;
    return Forward{&pool_, "target", head.target, std::make_unique<PassThrough>()};
  }
  LocalAnswer on_refusal(int status, std::string_view detail) override {
    return {status, {}, std::string(detail) + "\n", true};
  }

 private:
  UpstreamPool& pool_;
};

struct Settings {
  Address to;
  std::uint16_t port = 0;
  HttpServerOptions server;
};

bool parse_settings(int argc, char** argv, Settings& out) {
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) return false;
    const std::string_view name = argv[i];
    const std::string_view value = argv[i + 1];
    if (name == "--to" && parse_address(value, out.to)) continue;
    if (name == "--port" && parse_number(value, out.port)) continue;
    if (name == "--head-timeout" && parse_number(value, out.server.head_timeout_ms)) continue;
    return false;
  }
  return out.to.port != 0;
}

int run(const Settings& settings) {
  Loop loop;
  OneTarget connector(loop, settings.to);
  UpstreamPool pool(loop, connector);
  ForwardEverything handler(pool);
  HttpServer server(loop, handler, settings.server);
  const auto listener = TcpListener::listen(loop, "127.0.0.1", settings.port, [&](auto stream) {
    auto info = client_info(*stream);
    server.adopt(std::move(stream), std::move(info));
  });
  if (!listener) {
    std::fprintf(stderr, "plainproxy: %s\n", listener.error().detail.c_str());
    return 1;
  }
  std::printf("%d\n", (*listener)->port());
  std::fflush(stdout);
  loop.run();
  return 0;
}

}  // namespace
}  // namespace hpc

int main(int argc, char** argv) {
  hpc::Settings settings;
  if (!hpc::parse_settings(argc, argv, settings)) {
    std::fprintf(stderr, "usage: plainproxy --to ADDRESS:PORT [--port N] [--head-timeout MS]\n");
    return 2;
  }
  return hpc::run(settings);
}
