#include "manager/gateway/serve_pages.h"

#include <algorithm>

#include "common/answers.h"
#include "common/rfc3339.h"

namespace hpc {

namespace {

bool is_on_its_way(const SessionInfo& info) {
  return info.row.state != SessionState::kRunning && info.row.state != SessionState::kEnded;
}

std::string link(const std::string& path, std::string_view text) {
  return "<a href=\"" + escape_html(path) + "\">" + escape_html(text) + "</a>";
}

std::string state_of(const SessionInfo& info) {
  std::string text(state_name(info.row.state));
  if (info.queue_position) text += ", place " + std::to_string(*info.queue_position);
  if (!info.row.reason.empty()) text += ": " + info.row.reason;
  return text;
}

std::string where(const SessionInfo& info) {
  std::string text = info.row.job_id.empty() ? "" : "job " + info.row.job_id;
  if (!info.row.node.empty()) text += (text.empty() ? "" : " on ") + info.row.node;
  if (info.row.ends_at) text += ", until " + format_rfc3339(*info.row.ends_at);
  if (info.local_port) text += ", local port " + std::to_string(*info.local_port);
  return text;
}

std::string activate_form(const SessionInfo& info) {
  if (info.active) return "active";
  return "<form method=\"post\" action=\"/\"><button name=\"activate\" value=\"" +
         escape_html(info.row.id) + "\">make active</button></form>";
}

std::string session_row(const SessionInfo& info) {
  const std::string path = path_of(info.row.key);
  return "<tr><td>" + link(path + "/", text_of(info.row.key)) + "</td><td>" +
         escape_html(state_of(info)) + "</td><td>" + escape_html(where(info)) + "</td><td>" +
         link(path + "/ports", "ports") + "</td><td>" + activate_form(info) + "</td></tr>\n";
}

/// Leads to /user/U/C/I/port/N/ through `/?session=...&port=N`.
std::string port_form(const std::vector<SessionInfo>& sessions) {
  std::string html =
      "<form action=\"/\"><p>Open port <input name=\"port\" type=\"number\" min=\"1\" "
      "max=\"65535\" value=\"5500\" aria-label=\"Port\"> of <select name=\"session\" "
      "aria-label=\"Session\">";
  for (const SessionInfo& info : sessions) {
    html += "<option value=\"" + escape_html(path_of(info.row.key)) + "\"" +
            (info.active ? " selected" : "") + ">" + escape_html(text_of(info.row.key)) +
            "</option>";
  }
  return html + "</select> <button>Open</button></p></form>\n";
}

}  // namespace

LocalAnswer sessions_page(std::string_view user, const std::vector<SessionInfo>& sessions,
                          bool can_sign_out) {
  std::string html = html_paragraph("You are signed in as " + std::string(user) + ".");
  if (sessions.empty()) {
    html +=
        "<p>You have no session. Begin one with <code>hpc-manager sessions start</code>, or "
        "with <code>POST /api/v1/sessions</code>.</p>\n";
  } else {
    html += "<table><tr><th>Session</th><th>State</th><th>Where</th><th></th><th></th></tr>\n";
    for (const SessionInfo& info : sessions) html += session_row(info);
    html += "</table>\n" + port_form(sessions) +
            "<p>The short address <code>/port/5500/</code> leads to your active session.</p>\n";
  }
  if (can_sign_out) {
    html += "<form method=\"post\" action=\"/logout\"><p><button>Sign out</button></p></form>\n";
  }
  return form_page_answer(200, "Your sessions", html,
                          std::any_of(sessions.begin(), sessions.end(), is_on_its_way));
}

LocalAnswer nothing_here_answer(bool navigation) {
  return error_answer(404,
                      "there is nothing here, or nothing of yours; your sessions are on the start "
                      "page, /",
                      navigation);
}

LocalAnswer session_gone_answer(const SessionInfo& info, bool navigation) {
  std::string text = "the session " + text_of(info.row.key) + " has ended";
  if (info.row.ended_at) text += " at " + format_rfc3339(*info.row.ended_at);
  if (!info.row.reason.empty()) text += ": " + info.row.reason;
  if (!navigation) return problem_answer(410, text);
  return html_answer(410, "This session has ended",
                     html_paragraph(text + ".") + "<p><a href=\"/\">Your sessions</a></p>\n");
}

LocalAnswer session_waiting_answer(const SessionInfo& info, const TunnelView* tunnel,
                                   bool navigation) {
  std::string text = "the session " + text_of(info.row.key) + " is " + state_of(info);
  if (tunnel != nullptr && !tunnel->trouble().empty()) text += "; " + tunnel->trouble();
  LocalAnswer answer;
  if (navigation) {
    answer = html_answer(
        503, "Waiting for the session",
        html_paragraph(text + ".") + html_paragraph("This page goes on by itself once it works."),
        true);
  } else {
    answer = problem_answer(503, text);
  }
  answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  return answer;
}

LocalAnswer no_active_session_answer(bool navigation) {
  return error_answer(404,
                      "you have no active session, which /port/N/ leads to; choose one on the "
                      "start page, /, or use its own address, /user/NAME/CLUSTER/IDE/port/N/",
                      navigation);
}

}  // namespace hpc
