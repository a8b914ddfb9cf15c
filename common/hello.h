#pragma once
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

// How the manager knows that the far end of a channel is the hpc-proxy of the record, before any
// other byte: `GET /.hpc-proxy/hello?nonce=N` must be answered with the HMAC of contract 1.3.

/// 32 random bytes as 64 lower-case hex digits: a token or a nonce.
std::string random_hex64();

/// HMAC-SHA256(key: the 32 token bytes; message: "hpc-proxy hello v1", LF, nonce), 64 hex digits.
/// `token` and `nonce` must be 64 hex digits (asserted for the token; kBadRequest for the nonce).
Result<std::string> hello_hmac(std::string_view token, std::string_view nonce);

/// In time that does not depend on where they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace hpc
