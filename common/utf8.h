#pragma once
#include <cstddef>
#include <string_view>

namespace hpc {

/// How many bytes the first character of `text` takes, when it is well-formed UTF-8 (RFC 3629) that
/// is safe to show on a terminal: no control characters (C0, DEL, C1) and no line separators or
/// direction overrides. 0 when it is not, or `text` is empty.
std::size_t printable_utf8_size(std::string_view text);

}  // namespace hpc
