#include "manager/gateway/gateway_pages.h"

#include <string>

#include "common/answers.h"

namespace hpc {

namespace {

std::string where_to(const TunnelView& tunnel) {
  const auto& record = tunnel.record();
  if (!record) return tunnel.destination();
  const std::string job =
      record->slurm_node ? "job " + record->job_id + " on " + record->host : record->host;
  return job + " (" + tunnel.destination() + ")";
}

std::string trouble_of(const TunnelView& tunnel) {
  return tunnel.trouble().empty() ? "the connection is being made" : tunnel.trouble();
}

}  // namespace

LocalAnswer start_page(const TunnelView& tunnel, std::uint16_t port, std::string_view title) {
  std::string html;
  if (tunnel.ready()) {
    html += html_paragraph("Connected to " + where_to(tunnel) + ", hpc-proxy " +
                           tunnel.record()->program_version + ".");
    if (tunnel.record()->job_end) {
      html += html_paragraph("The job ends at " + *tunnel.record()->job_end + ".");
    }
  } else {
    html += html_paragraph("Not connected to " + where_to(tunnel) + ": " + trouble_of(tunnel));
  }
  html +=
      "<p>What listens on port 5500 of that node is at "
      "<a href=\"/port/5500/\"><code>http://127.0.0.1:" +
      std::to_string(port) +
      "/port/5500/</code></a>; put the number of your app's port there. "
      "<a href=\"/status\">Status</a> as JSON.</p>\n";
  return html_answer(200, title, html, !tunnel.ready());
}

LocalAnswer tunnel_down_answer(const TunnelView& tunnel, bool navigation) {
  LocalAnswer answer;
  if (navigation) {
    answer = html_answer(
        503, "Connecting to " + tunnel.destination(),
        html_paragraph("Not connected to " + where_to(tunnel) + ": " + trouble_of(tunnel)) +
            html_paragraph("This page goes on by itself once it works."),
        true);
  } else {
    answer = problem_answer(503, "not connected: " + trouble_of(tunnel));
  }
  answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  return answer;
}

}  // namespace hpc
