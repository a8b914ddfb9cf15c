#pragma once
#include <string>

#include "common/loop.h"
#include "common/result.h"

namespace hpc {

/// Starts the desktop's browser (xdg-open) and does not wait for it. kSystem if it cannot be
/// started. `url` is seen in its command line, so it must hold no secret.
Status open_browser(Loop& loop, const std::string& url);

}  // namespace hpc
