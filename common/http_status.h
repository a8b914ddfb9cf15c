#pragma once
#include <string_view>

#include "common/result.h"

namespace hpc {

/// The phrase of RFC 9110 for the statuses we send; "Unknown" for others.
std::string_view reason_phrase(int status);

/// The one place that says which HTTP status an error is answered with.
int http_status(Errc code);

}  // namespace hpc
