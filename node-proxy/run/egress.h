#pragma once
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/loop.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "common/uv_handle.h"
#include "node-proxy/options.h"

namespace hpc {

// Each of them sets up its device in some ten milliseconds; a busy node takes longer.
constexpr int kEgressReadyMs = 5000;

/// The way from a network space to other machines: slirp4netns or pasta, a program of the node's
/// that runs outside of it and makes a device inside. Nobody comes in by it, and the node's own
/// loopback is not to be reached by it. Ends with this object, and with this process however that
/// ends.
class Egress {
 public:
  /// Tries what is in PATH, and waits until it works, at most kEgressReadyMs each. `keeper` is a
  /// process in the space. To be called while this process has one thread and no loop. The detail
  /// is a sentence to warn with: kNotFound, there is none; kSystem, none works, with what it said.
  static Result<Egress> start(pid_t keeper, const Environment& environment);
  Egress(Egress&&) noexcept;
  Egress& operator=(Egress&&) = delete;
  ~Egress();

  const std::string& program() const { return program_; }
  /// Calls `ended` once, with a sentence to warn with, if the program ends by itself. `loop` must
  /// outlive this object from then on.
  void watch(Loop& loop, std::function<void(const std::string& why)> ended);

 private:
  struct Watch;
  explicit Egress(std::string program);
  friend class EgressStart;

  std::string program_;
  pid_t pid_ = -1;   // -1: moved away
  UniqueFd alive_;   // the program ends when this one is closed, where it can
  UniqueFd output_;  // what it says
  std::unique_ptr<Watch> watch_;
};

/// What is tried, one after the other: program and arguments. The program gets the descriptor
/// kEgressReadyFd to write to when it works, and kEgressAliveFd, which is closed at its end. Pure.
std::vector<std::vector<std::string>> egress_commands(const std::string& slirp4netns,
                                                      const std::string& pasta, pid_t keeper);
constexpr int kEgressReadyFd = 3;
constexpr int kEgressAliveFd = 4;

/// Inside, the node's own loopback is not there; so a resolver on it is not, either. A sentence to
/// warn with, where the text of /etc/resolv.conf names no other. Pure.
std::optional<std::string> resolver_warning(std::string_view resolv_conf);

}  // namespace hpc
