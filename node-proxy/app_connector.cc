#include "node-proxy/app_connector.h"

#include <charconv>
#include <utility>

#include "common/tcp_stream.h"

namespace hpc {

namespace {

constexpr const char* kAddresses[] = {"127.0.0.1", "::1"};

std::uint16_t parse_key(const std::string& key) {
  std::uint16_t port = 0;
  std::from_chars(key.data(), key.data() + key.size(), port);
  return port;  // keys are made by the handler, from a port that was parsed
}

}  // namespace

/// The two addresses one after the other. Its owner may destroy it at any time; `done_` may too.
class AppConnector::Attempt final : public Pending {
 public:
  Attempt(AppConnector& connector, std::string key, ConnectDone done)
      : connector_(connector), key_(std::move(key)), done_(std::move(done)) {
    const auto found = connector_.prefers_v6_.find(key_);
    current_ = found != connector_.prefers_v6_.end() && found->second ? 1 : 0;
    first_ = current_;
  }

  void start() {
    pending_ =
        connect_tcp(connector_.loop_, kAddresses[current_], parse_key(key_), connector_.timeout_ms_,
                    [this](auto result) { on_result(std::move(result)); });
  }

 private:
  void on_result(Result<std::unique_ptr<Stream>> result) noexcept {
    if (result) {
      connector_.prefers_v6_[key_] = current_ == 1;
      return finish(std::move(result));
    }
    if (current_ != first_) {
      // What the remembered address says counts; the other was only worth a try.
      return finish(tl::unexpected<Error>(first_error_));
    }
    first_error_ = result.error();
    if (first_error_.code == Errc::kRefused) connector_.prefers_v6_.erase(key_);
    current_ = 1 - current_;
    // In a later turn: the connect that is calling us is still pending_.
    auto finished = std::move(pending_);
    start();
    finished.reset();
  }

  void finish(Result<std::unique_ptr<Stream>> result) {
    const auto done = std::move(done_);
    done(std::move(result));  // may destroy this object
  }

  AppConnector& connector_;
  std::string key_;
  ConnectDone done_;
  std::size_t current_ = 0;
  std::size_t first_ = 0;
  Error first_error_{Errc::kRefused, "", ""};
  std::unique_ptr<Pending> pending_;
};

std::unique_ptr<Pending> AppConnector::connect(const std::string& key, ConnectDone done) {
  auto attempt = std::make_unique<Attempt>(*this, key, std::move(done));
  attempt->start();
  return attempt;
}

}  // namespace hpc
