#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "common/job_record.h"
#include "common/result.h"

namespace hpc {

/// The commands' side of the wire: short blocking requests to a running hpc-proxy of this machine.

/// Is the process behind the record's port the one that wrote it (hello, contract 1.3)? kRefused
/// when nothing listens, kForbidden when somebody else answers, kTimeout, kNetwork.
Status check_hello(const JobRecord& record);

/// GET `target` with the record's token, after the hello; the body of a 200, at most 512 KiB.
/// Errors as check_hello(), and kNetwork for another status.
Result<std::string> get_with_token(const JobRecord& record, const std::string& target);

/// POST without a body and with `fields` (each ends in CR LF), the token and the hello likewise.
Status post_with_token(const JobRecord& record, const std::string& target,
                       const std::string& fields);

/// Does a program of this user's listen on that port of one of these `private_addresses` (of a run,
/// from its record), 127.0.0.1 or [::1]? The rule is that of
/// forwarded requests (common/target_owner.h); nothing is sent. kRefused: nothing listens;
/// kForbidden: only somebody else's program does. With `anybody` any program counts.
Status look_for_listener(std::uint16_t port, bool anybody,
                         const std::vector<std::string>& private_addresses);

}  // namespace hpc
