#include "manager/session/channel_opening.h"

#include <utility>

#include "manager/session/hello_check.h"

namespace hpc {

namespace {

// Which of two failures to report: one that a person must act on before one that may pass.
int weight(Errc code) {
  if (code == Errc::kForbidden) return 3;
  if (code == Errc::kUnavailable || code == Errc::kSsh) return 2;
  return code == Errc::kRefused ? 1 : 0;
}

}  // namespace

ChannelOpening::ChannelOpening(Scheduler& scheduler, SshConnection& connection,
                               ProxyEndpoint endpoint, Done done)
    : scheduler_(scheduler),
      connection_(connection),
      endpoint_(std::move(endpoint)),
      done_(std::move(done)) {
  try_next();
}

void ChannelOpening::try_next() {
  step_ = connection_.open_channel(endpoint_.addresses[address_], endpoint_.port, kChannelTimeoutMs,
                                   [this](auto stream) { on_channel(std::move(stream)); });
}

void ChannelOpening::on_channel(Result<std::unique_ptr<Stream>> stream) {
  if (!stream) return failed(stream.error());
  step_ = std::make_unique<HelloCheck>(scheduler_, std::move(*stream), endpoint_.token,
                                       [this](auto proved) { on_hello(std::move(proved)); });
}

void ChannelOpening::on_hello(Result<std::unique_ptr<Stream>> stream) {
  if (!stream) return failed(stream.error());
  const Done done = std::move(done_);
  done(Opened{std::move(*stream), address_});  // may destroy us
}

void ChannelOpening::failed(const Error& error) {
  if (!worst_ || weight(error.code) > weight(worst_->code)) worst_ = error;
  if (++address_ < endpoint_.addresses.size()) return try_next();
  const Done done = std::move(done_);
  done(tl::unexpected(*worst_));  // may destroy us
}

}  // namespace hpc
