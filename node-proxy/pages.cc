#include "node-proxy/pages.h"

#include <string>

namespace hpc {

LocalAnswer waiting_answer(std::uint16_t port, std::string_view host, std::string_view warning,
                           bool navigation) {
  const std::string number = std::to_string(port);
  LocalAnswer answer;
  if (navigation) {
    const std::string title = "Waiting for port " + number + " on " + std::string(host);
    std::string body = html_paragraph("Nothing listens on port " + number +
                                      " of this node yet. Start the app there; this page goes on "
                                      "by itself as soon as it listens.");
    if (!warning.empty()) body += html_paragraph(warning);
    answer = html_answer(503, title, body, true);
  } else {
    answer = problem_answer(503, "nothing listens on port " + number + " of this node yet");
  }
  answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  return answer;
}

LocalAnswer unauthorized_answer() {
  auto answer = problem_answer(
      401, "this hpc-proxy lets in its own user only; use `hpc-manager connect` to reach it");
  answer.fields.emplace_back("WWW-Authenticate", "HPC-Proxy-Token");
  return answer;
}

}  // namespace hpc
