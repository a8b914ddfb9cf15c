#include "manager/ssh/ssh_limits.h"

#include <string>

namespace hpc {
namespace {

std::string reason(const std::string& text) {
  const auto start = text.find_first_not_of(' ');
  return start == std::string::npos ? std::string() : " (" + text.substr(start) + ")";
}

}  // namespace

Error ssh_open_error(const std::string& target, int code, const std::string& text) {
  const std::string where = "ssh.channel";
  switch (code) {
    case 1:
      return {Errc::kForbidden, where,
              "the SSH server forbids forwarding to " + target + reason(text) +
                  ": ask its administrator about AllowTcpForwarding, PermitOpen and "
                  "DisableForwarding in sshd_config, or 'restrict' at your key"};
    case 2:
      return {Errc::kRefused, where, "the SSH server cannot connect to " + target + reason(text)};
    case 4:
      return {Errc::kUnavailable, where,
              "the SSH server is short of resources for " + target + reason(text)};
    case 3:
      return {Errc::kForbidden, where,
              "the SSH server does not know this kind of channel" + reason(text)};
    default:
      return {Errc::kUnavailable, where,
              "the SSH server refused a channel to " + target + reason(text) + ": try again"};
  }
}

}  // namespace hpc
