#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "manager/store/store.h"

namespace hpc {

/// A session as the API shows it (contract 2.4): what is stored, and what is known just now.
struct SessionInfo {
  SessionRow row;
  std::string url;  // "https://hpc.example.org/user/alice/main/vscode/"
  std::optional<std::uint16_t> local_port;
  std::optional<unsigned> queue_position;  // from 1
  bool active = false;                     // the user's active session
};

/// What POST /api/v1/sessions asks for, checked.
struct NewSession {
  std::string user;
  std::string cluster;
  std::string ide;
  std::optional<unsigned> slot;    // nothing: the lowest free one
  std::optional<std::string> job;  // attach to this job, which runs already; nothing: as the
                                   // launcher decides
  std::string spec;                // cpus, memory, time, partition, gpus: one line of JSON, or ""
};

/// One line of JSON, in the order of contract 2.4; unknown values are null, times RFC 3339.
std::string session_json(const SessionInfo& info);

}  // namespace hpc
