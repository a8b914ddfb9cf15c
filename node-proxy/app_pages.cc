#include "node-proxy/app_pages.h"

#include <string>

#include "common/answers.h"

namespace hpc {

namespace {

LocalAnswer try_again(LocalAnswer answer) {
  answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  return answer;
}

}  // namespace

LocalAnswer no_app_answer(bool navigation) {
  const std::string_view how =
      "It is not set which app this session shows here. In the job, run: hpc-proxy app 5500 (the "
      "app's port), or: hpc-proxy app unix:/PATH (its socket).";
  if (!navigation) return try_again(problem_answer(503, how));
  return try_again(html_answer(
      503, "This session has no app yet",
      html_paragraph(how) + html_paragraph("This page goes on by itself as soon as it is set."),
      true));
}

LocalAnswer waiting_for_socket_answer(std::string_view host, std::string_view warning,
                                      bool navigation) {
  if (!navigation) return try_again(problem_answer(503, "nothing listens on the app's socket yet"));
  std::string body = html_paragraph(
      "Nothing listens on the app's socket yet. Start the app; this page goes on by itself as soon "
      "as it listens.");
  if (!warning.empty()) body += html_paragraph(warning);
  return try_again(html_answer(503, "Waiting for the app on " + std::string(host), body, true));
}

}  // namespace hpc
