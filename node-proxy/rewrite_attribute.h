#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node-proxy/rewrite_location.h"
#include "node-proxy/rewrite_url.h"

namespace hpc {

// Values of HTML attributes that name pages, in the names that the browser uses. What is put in is
// the prefix and nothing else, and it is put in front of a '/': no byte of the value is decoded or
// written anew, so character references stay what they were.

/// What an attribute's value is made of.
enum class AttributeValue : std::uint8_t {
  kUrl,      // href="/x"
  kUrlList,  // srcset="/x 2x, /y"
  kRefresh,  // <meta http-equiv=refresh content="0; url=/x">
  kStyle,    // style="background: url(/x)"
};

/// An attribute's value as a browser reads it. A character reference is one byte of `text`: the
/// character where it is ASCII and can matter in a URL, else a byte that never does.
struct DecodedValue {
  std::string text;
  std::vector<std::uint32_t> offsets;  // where each byte came from; one more, for the end
};
DecodedValue decode_value(std::string_view raw);

/// May this prefix be put into pages? Only what needs no escape in any attribute, list or style
/// sheet, and is short: it may come very often.
bool is_prefix_for_pages(std::string_view prefix);
/// One link of seven bytes must not become more than some megabytes per read.
constexpr std::size_t kPagePrefixBytesMax = 256;

/// The raw value with the prefix where it belongs; nothing where it passes as it is.
std::optional<std::string> rewrite_attribute(AttributeValue kind, std::string_view raw,
                                             const RewriteContext& names);

/// The same for one URL without character references, seen as a browser's URL parser does: without
/// blanks around it, without TABs and line ends. Leaves alone what that takes for another host
/// though it begins with one slash ("/\\host").
std::optional<UrlEdit> edit_attribute_url(std::string_view url, const RewriteContext& names);

/// Does a document whose <base> has this (raw) value read "/x" as a path of another site?
bool names_other_site(std::string_view raw, const RewriteContext& names);

}  // namespace hpc
