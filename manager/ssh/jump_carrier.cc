#include "manager/ssh/jump_carrier.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/relay.h"
#include "common/tcp_stream.h"

namespace hpc {
namespace {

class JumpCarrier final : public SshCarrier {
 public:
  JumpCarrier(std::unique_ptr<SshConnection> jump_host, std::unique_ptr<Stream> channel,
              std::unique_ptr<Stream> local)
      : jump_host_(std::move(jump_host)),
        // When it has ended, the session above sees the end of its socket; nothing else to do.
        relay_(std::move(local), std::move(channel), nullptr, nullptr) {
    relay_.start();
  }

 private:
  std::unique_ptr<SshConnection> jump_host_;
  Relay relay_;
};

}  // namespace

Result<JumpPath> make_jump_path(Loop& loop, std::unique_ptr<SshConnection> jump_host,
                                std::unique_ptr<Stream> channel) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Errc::kSystem, "ssh.jump", std::strerror(errno));
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  auto raw = std::make_unique<uv_tcp_t>();
  uv_tcp_init(loop.uv(), raw.get());
  UvPtr<uv_tcp_t> handle(raw.release());
  if (const int rc = uv_tcp_open(handle.get(), ours.get()); rc != 0) {
    return fail(Errc::kSystem, "ssh.jump", uv_strerror(rc));
  }
  ours.release();
  auto local = std::make_unique<TcpStream>(loop, std::move(handle));
  return JumpPath{
      std::make_unique<JumpCarrier>(std::move(jump_host), std::move(channel), std::move(local)),
      std::move(theirs)};
}

}  // namespace hpc
