#pragma once
#include <memory>

#include "common/loop.h"
#include "common/stream.h"

namespace hpc {

/// Cuts `stream` and frees it in the next turn. Safe from inside the stream's own callbacks; none
/// of them reaches the former listener any more. Null is fine.
void discard_stream(Loop& loop, std::unique_ptr<Stream> stream);

/// The same without the cut: the connection ends in good order, and nothing else is heard of it.
void close_stream(Loop& loop, std::unique_ptr<Stream> stream);

}  // namespace hpc
