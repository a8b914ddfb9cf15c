#pragma once
#include <cstdint>
#include <string_view>

#include "common/answers.h"
#include "common/http_handler.h"

namespace hpc {

// The answers that only hpc-proxy gives; the general ones are in common/answers.h.

/// Nothing listens on `port`: 503 with Retry-After; the page loads itself anew until it does.
/// `warning` is shown too when it is not empty.
LocalAnswer waiting_answer(std::uint16_t port, std::string_view host, std::string_view warning,
                           bool navigation);

/// 401, the same bytes for everybody.
LocalAnswer unauthorized_answer();

}  // namespace hpc
