// One document through the rewriter of pages, for one of the ways in (first byte): cut anywhere it
// comes out the same, rewriting it again changes nothing, without anything of ours it is the same
// byte for byte, and what is put in is the prefix and one <base>.
#include <string>

#include "node-proxy/rewrite_attribute.h"
#include "node-proxy/rewrite_html.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/html_pieces.h"
#include "tests/support/rewrite_cases.h"

namespace hpc {
namespace {

std::string in_random_pieces(const HtmlAnswer& answer, std::string_view document) {
  FuzzCuts cuts(document);
  HtmlRewriter rewriter(answer);
  std::string out;
  while (!document.empty()) {
    const auto piece = document.substr(0, cuts.next());
    rewriter.feed(piece, out);
    document.remove_prefix(piece.size());
    require(rewriter.held_bytes() <= HtmlTokenizer::kTagBytesMax, "bounded");
  }
  rewriter.finish(out);
  return out;
}

/// A way in whose prefix is short, for an input that names no host: then nothing is ours but plain
/// paths.
HtmlAnswer stranger() {
  HtmlAnswer answer;
  answer.names.port = 1;
  answer.names.external_scheme = "none";
  answer.names.prefix = "/p";
  return answer;
}

void check(const HtmlAnswer& answer, std::string_view document) {
  const std::string out = rewrite_whole(answer, document);
  require(in_random_pieces(answer, document) == out, "the same in pieces");
  require(rewrite_in_pieces(answer, document, 1, 1) == out, "the same byte by byte");
  require(rewrite_whole(answer, out) == out, "once");
  if (document.find_first_of("/&") == std::string_view::npos && answer.page.empty()) {
    require(out == document, "nothing of ours, nothing changed");
  }
}

/// Could the document name the app by its host and port, whose place the prefix then takes? Also
/// with references and escapes for some of the bytes.
bool may_name_a_host(std::string_view document) {
  return document.find("//") != std::string_view::npos ||
         document.find_first_of("&\\") != std::string_view::npos;
}

/// Every byte put in is the prefix: taking all of them away gives the document back.
void check_only_prefix(std::string_view document) {
  if (may_name_a_host(document)) return;
  const std::string out = rewrite_whole(stranger(), document);
  std::size_t at = 0;
  for (std::size_t i = 0; i < out.size();) {
    if (at < document.size() && out[i] == document[at] &&
        (out.compare(i, 2, "/p") != 0 || document.compare(at, 2, "/p") == 0)) {
      ++i;
      ++at;
      continue;
    }
    require(out.compare(i, 2, "/p") == 0, "the prefix and nothing else");
    i += 2;
  }
  require(at == document.size(), "every byte of the document");
}

}  // namespace
}  // namespace hpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  if (size == 0) return 0;
  HtmlAnswer answer;
  answer.names = context_of(kWaysIn[data[0] % std::size(kWaysIn)]);
  answer.xml = (data[0] & 16) != 0;
  answer.leave_styles = (data[0] & 32) != 0;
  if ((data[0] & 64) == 0) answer.page = answer.names.prefix + "/a?b&\"c";
  const std::string_view document = fuzz_text(data + 1, size - 1);
  check(answer, document);
  check_only_prefix(document);
  return 0;
}
