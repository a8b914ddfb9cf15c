#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/http_parser.h"
#include "common/upstream_pool.h"
#include "manager/session/scheduler.h"

namespace hpc {

// The list of ports of a busy node has some tens of KiB.
constexpr std::size_t kProxyAnswerBytesMax = std::size_t{256} * 1024;
// A person waits for the answer, and the node is there or it is not.
constexpr std::uint64_t kProxyRequestMs = 5'000;

struct ProxyQuestion {
  std::string target;  // "/ports"
  std::string token;   // of the record
};
struct ProxyReply {
  int status = 0;
  std::string body;
};

/// A GET of our own to a session's hpc-proxy, beside those that are forwarded: over a new channel
/// of its pool, which is closed behind it. So nothing of the pool is used once it has answered.
///
/// Calls `done` once, in a later turn, unless destroyed first; `done` may destroy it. Errors: what
/// the pool says, kTimeout (kProxyRequestMs), kTooLarge (kProxyAnswerBytesMax), kNetwork (died, or
/// no HTTP).
class ProxyRequest final : public Pending, private Stream::Listener, private HttpParser::Listener {
 public:
  using Done = std::function<void(Result<ProxyReply>)>;

  /// `key`: what the pool's connector understands. `scheduler` must outlive it, `pool` the
  /// connecting.
  ProxyRequest(Scheduler& scheduler, UpstreamPool& pool, const std::string& key,
               const ProxyQuestion& question, Done done);
  ~ProxyRequest() override;
  ProxyRequest(const ProxyRequest&) = delete;
  ProxyRequest& operator=(const ProxyRequest&) = delete;

 private:
  void on_data(Bytes bytes) noexcept override;
  void on_end() noexcept override;
  void on_drain() noexcept override {}
  void on_close(const Status& why) noexcept override;
  void on_head() noexcept override {}
  void on_body(Bytes bytes) noexcept override;
  void on_message_end() noexcept override;

  void on_connected(Result<UpstreamLease> lease);
  void finish(Result<ProxyReply> result);

  Scheduler& scheduler_;
  const std::string text_;  // the request
  Done done_;
  HttpParser parser_;
  std::unique_ptr<Alarm> alarm_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Pending> connecting_;
  std::string body_;
  bool finished_ = false;
  // The posted last step finds out through this whether we still live.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hpc
