#include "node-proxy/run/space_reach.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>

#include "common/timer.h"
#include "common/unique_fd.h"
#include "node-proxy/listening_sockets.h"

namespace hpc {

namespace {

/// One socket of the space. Turns the loop meanwhile.
Result<UniqueFd> make_inside(Loop& loop, const AskSocket& ask, const SocketWish& wish) {
  std::optional<Error> failure = {
      {Errc::kTimeout, "network namespace", "its keeper gives no socket"}};
  UniqueFd made;
  Timer limit(loop, [&loop] { loop.stop(); });
  limit.start(kSpaceReachMs);
  const auto asking = ask(wish, [&](Result<UniqueFd> result) {
    failure.reset();
    if (!result) failure = result.error();
    if (result) made = std::move(*result);
    loop.stop();
  });
  loop.run();
  if (failure) return tl::unexpected<Error>(std::move(*failure));
  return made;
}

}  // namespace

Result<AppReach> reach_into_space(Loop& loop, AskSocket ask) {
  constexpr SocketWish kDiag = {AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG};
  // Two, because a dump in pieces and a question over one socket would get each other's answers.
  auto owners = make_inside(loop, ask, kDiag);
  if (!owners) return tl::unexpected<Error>(owners.error());
  auto listing = make_inside(loop, ask, kDiag);
  if (!listing) return tl::unexpected<Error>(listing.error());
  auto v4 = make_inside(loop, ask, {AF_INET, SOCK_STREAM, 0});
  if (!v4) return tl::unexpected<Error>(v4.error());
  // A kernel without IPv6 has none.
  auto v6 = make_inside(loop, ask, {AF_INET6, SOCK_STREAM, 0});

  AppReach reach;
  reach.private_mode = "netns";
  // Nothing behind it: /proc/net would show the sockets of this process's own network namespace,
  // and whoever holds the same four numbers there would be taken for whoever holds them inside.
  auto lookup = make_netlink_lookup(std::move(*owners));
  if (!lookup) return tl::unexpected<Error>(lookup.error());
  reach.lookup = std::move(*lookup);
  reach.network_space = [kept = std::make_shared<UniqueFd>(std::move(*listing))] {
    return own_listening_sockets_over(kept->get(), geteuid());
  };
  reach.entrance.push_back({"127.0.0.1", std::move(*v4)});
  if (v6) reach.entrance.push_back({"::1", std::move(*v6)});
  reach.dial = make_space_dial(loop, std::move(ask));
  return reach;
}

}  // namespace hpc
