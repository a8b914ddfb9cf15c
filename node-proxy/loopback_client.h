#pragma once
#include <cstdint>
#include <string>

#include "common/job_record.h"
#include "common/result.h"

namespace hpc {

/// The commands' side of the wire: short blocking requests to a running hpc-proxy of this machine.

/// Is the process behind the record's port the one that wrote it (hello, contract 1.3)? kRefused
/// when nothing listens, kForbidden when somebody else answers, kTimeout, kNetwork.
Status check_hello(const JobRecord& record);

/// GET `target` with the record's token, after the hello; the body of a 200, at most 64 KiB. Errors
/// as check_hello(), and kNetwork for another status.
Result<std::string> get_with_token(const JobRecord& record, const std::string& target);

/// POST without a body and with `fields` (each ends in CR LF), the token and the hello likewise.
Status post_with_token(const JobRecord& record, const std::string& target,
                       const std::string& fields);

/// Does anything listen on that port of 127.0.0.1 or [::1]?
bool something_listens(std::uint16_t port);

}  // namespace hpc
