#pragma once
#include <string_view>

#include "common/http_handler.h"

namespace hpc {

// Answers about the session's app, the one behind /app/. Both are 503 with Retry-After, and their
// pages load themselves anew until the app is there.

/// Nobody has said yet what the app is.
LocalAnswer no_app_answer(bool navigation);

/// Nothing listens on its Unix socket. `warning` is shown too when it is not empty.
LocalAnswer waiting_for_socket_answer(std::string_view host, std::string_view warning,
                                      bool navigation);

}  // namespace hpc
