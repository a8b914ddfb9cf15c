#pragma once
#include <string>
#include <string_view>

namespace hpc {

/// `text` as it may stand in HTML text and in attribute values between either kind of quotes:
/// & < > " ' become character references, every other byte stays as it is. At most six times as
/// long. Source: WHATWG HTML, "Named character references" and "Decimal character reference".
std::string escape_html(std::string_view text);

}  // namespace hpc
