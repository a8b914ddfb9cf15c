#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "common/http_parser.h"
#include "common/stream.h"
#include "common/upstream_pool.h"
#include "manager/session/scheduler.h"

namespace hpc {

// The answers are a few hundred bytes; more is not hpc-proxy.
constexpr std::size_t kHelloBodyBytesMax = std::size_t{16} * 1024;
// Both exchanges together: four round trips through the login node, with room for a busy node.
constexpr std::uint64_t kHelloTimeoutMs = 10'000;

/// The first exchanges on a fresh channel (contract 2.0). The far end must prove that it holds the
/// token of the record; nothing but that one request is sent before. Then we prove the same to it
/// (`GET /status` with the token), so that hpc-proxy no longer counts the connection among those
/// of strangers, which it closes after 10 s. Only then the stream is handed out.
///
/// Owns the stream until then. Calls `done` once, in a later turn, unless destroyed first. Errors:
/// kForbidden (the far end is not the hpc-proxy of the record), kUnavailable (it is too busy: 503),
/// kTimeout, kNetwork (the channel died).
class HelloCheck final : public Pending, private Stream::Listener, private HttpParser::Listener {
 public:
  /// `token`: 64 lower-case hex digits.
  HelloCheck(Scheduler& scheduler, std::unique_ptr<Stream> stream, std::string token,
             ConnectDone done);
  ~HelloCheck() override;
  HelloCheck(const HelloCheck&) = delete;
  HelloCheck& operator=(const HelloCheck&) = delete;

 private:
  void on_data(Bytes bytes) noexcept override;
  void on_end() noexcept override;
  void on_drain() noexcept override {}
  void on_close(const Status& why) noexcept override;
  void on_head() noexcept override {}
  void on_body(Bytes bytes) noexcept override;
  void on_message_end() noexcept override { complete_ = true; }

  void ask_for_proof();
  void judge_answer();
  Status judge_proof() const;
  void sign_in();
  void finish(Status verdict);

  Scheduler& scheduler_;
  std::unique_ptr<Stream> stream_;
  std::string token_;
  std::string expected_;  // the proof
  ConnectDone done_;
  HttpParser parser_;
  std::unique_ptr<Alarm> alarm_;
  std::string body_;
  bool proved_ = false;
  bool complete_ = false;  // the answer in hand
  bool finished_ = false;
  bool died_late_ = false;  // between the last answer and the hand-over
  // The posted last step finds out through this whether we still live.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hpc
