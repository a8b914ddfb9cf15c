#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/http_handler.h"

namespace hpc {

/// The answers that hpc-proxy gives itself. A navigation gets a small HTML page (strict
/// Content-Security-Policy, nosniff), others RFC 9457 application/problem+json. Bytes of the
/// request are escaped or left out.

std::string escape_html(std::string_view text);

/// Will a person look at the answer? Sec-Fetch-Mode: navigate, or Accept with text/html where a
/// browser does not say.
bool is_navigation(const RequestHead& head);

/// `detail` is a sentence of ours.
LocalAnswer problem_answer(int status, std::string_view detail);
LocalAnswer error_answer(int status, std::string_view detail, bool navigation);

/// Nothing listens on `port`: 503 with Retry-After; the page loads itself anew until it does.
/// `warning` is shown too when it is not empty.
LocalAnswer waiting_answer(std::uint16_t port, std::string_view host, std::string_view warning,
                           bool navigation);

/// 401, the same bytes for everybody.
LocalAnswer unauthorized_answer();

LocalAnswer json_answer(int status, std::string body);

}  // namespace hpc
