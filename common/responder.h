#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"
#include "common/stream.h"

namespace hpc {

/// An answer that this program gives itself. The engine adds Date-free framing (Content-Length,
/// Connection) and leaves the body out for HEAD.
struct LocalAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> fields;  // Content-Type and others
  std::string body;
  bool close = false;  // close the connection after it
};

/// Where a Responder puts its answer: either answer(), or begin(), write() as often as wanted and
/// end(). May be called from any turn while the responder lives; what comes after the end is
/// ignored.
class ResponseSink {
 public:
  /// The whole answer.
  virtual void answer(LocalAnswer answer) = 0;
  /// The head of an answer whose length nobody knows.
  virtual void begin(int status,
                     const std::vector<std::pair<std::string, std::string>>& fields) = 0;
  /// A piece of its body, sent at once.
  virtual void write(std::string_view text) = 0;
  virtual void end() = 0;
  /// Gives the client up inside an answer (it reads too slowly, say): its connection is cut.
  virtual void cut(const Error& why) = 0;
  /// Bytes written that the client has not taken yet.
  virtual std::size_t queued_bytes() const = 0;

 protected:
  ~ResponseSink() = default;
};

/// Answers one request later, or piece by piece, or after reading its body.
///
/// Owner: the exchange, which destroys it when the answer has ended or the client has gone; it must
/// then leave no trace anywhere that could call the sink again.
class Responder {
 public:
  virtual ~Responder() = default;
  /// First call. `sink` outlives the responder.
  virtual void start(ResponseSink& sink) noexcept = 0;
  /// A piece of the request's body, never empty; dies when the call returns.
  virtual void on_body(Bytes bytes) noexcept = 0;
  /// The request is complete. Not called when it never becomes so.
  virtual void on_request_end() noexcept = 0;
  /// The program is about to end. What would never end by itself (a stream of events) ends now; its
  /// client comes again.
  virtual void on_drain() noexcept {}
};

/// Reads a body of at most `bytes_max` (more: 413), then calls `handle` once with it. `handle` may
/// answer at once or keep `reply` and call it later, once; if the client has gone by then, nothing
/// happens.
using Reply = std::function<void(LocalAnswer)>;
std::unique_ptr<Responder> collect_body(
    std::size_t bytes_max, std::function<void(std::string body, const Reply& reply)> handle);

}  // namespace hpc
