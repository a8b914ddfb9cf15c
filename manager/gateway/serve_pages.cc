#include "manager/gateway/serve_pages.h"

#include <algorithm>

#include "common/answers.h"
#include "common/rfc3339.h"
#include "manager/session/session_words.h"

namespace hpc {

namespace {

/// It is on a node, where something may listen.
bool has_ports(const SessionInfo& info) {
  return info.row.state == SessionState::kRunning || info.row.state == SessionState::kReconnecting;
}

bool is_on_its_way(const SessionInfo& info) {
  return info.row.state != SessionState::kRunning && info.row.state != SessionState::kEnded;
}

std::string link(const std::string& path, std::string_view text) {
  return "<a href=\"" + escape_html(path) + "\">" + escape_html(text) + "</a>";
}

/// "queued (3rd)", and its reason below it, where that does not say the state itself.
std::string state_of(const SessionInfo& info) {
  const auto state = state_name(info.row.state);
  const std::string& reason = info.row.reason;
  if (reason.empty() || reason.starts_with(state)) {
    return escape_html(session_words(state, info.queue_position, "", reason));
  }
  return escape_html(session_words(state, info.queue_position, "", "")) + "<small>" +
         escape_html(reason) + "</small>";
}

/// For people: "2026-03-01 12:00:00 UTC".
std::string time_of(std::int64_t unix_ms) {
  const std::string text = format_rfc3339(unix_ms);
  constexpr std::size_t kDate = 10;
  constexpr std::size_t kTime = 8;
  return text.substr(0, kDate) + " " + text.substr(kDate + 1, kTime) + " UTC";
}

std::string start_link() { return "<p>" + link("/", "Start page") + "</p>\n"; }

/// "until 2026-03-01 12:00:00 UTC (52 minutes left)".
std::string end_of(const SessionInfo& info, std::optional<std::int64_t> now) {
  if (!info.row.ends_at) return "";
  const auto left = now ? time_words(*info.row.ends_at - *now) : std::string();
  return "until " + time_of(*info.row.ends_at) + (left.empty() ? "" : " (" + left + " left)");
}

std::string where(const SessionInfo& info, std::optional<std::int64_t> now) {
  std::string text = info.row.job_id.empty() ? "" : "job " + info.row.job_id;
  if (!info.row.node.empty()) text += (text.empty() ? "" : " on ") + info.row.node;
  if (info.row.ends_at) text += (text.empty() ? "" : ", ") + end_of(info, now);
  if (info.local_port) text += ", local port " + std::to_string(*info.local_port);
  return text;
}

std::string activate_form(const SessionInfo& info) {
  if (info.active) return "<strong>active</strong>";
  return "<form method=\"post\" action=\"/\"><button name=\"activate\" value=\"" +
         escape_html(info.row.id) + "\">Make active</button></form>";
}

std::string session_row(const SessionInfo& info, std::optional<std::int64_t> now) {
  const std::string path = path_of(info.row.key);
  std::string html = "<tr><td>" + link(path + "/", text_of(info.row.key));
  if (has_ports(info)) html += "<small>" + link(path + "/ports", "Its ports") + "</small>";
  return html + "</td><td>" + state_of(info) + "</td><td>" + escape_html(where(info, now)) +
         "</td><td>" + activate_form(info) + "</td></tr>\n";
}

/// Leads to /user/U/C/I/port/N/ through `/?session=...&port=N`.
std::string port_form(const std::vector<SessionInfo>& sessions) {
  std::string html =
      "<form action=\"/\"><p>Open port <input name=\"port\" type=\"number\" min=\"1\" "
      "max=\"65535\" value=\"5500\" aria-label=\"Port\"> of <select name=\"session\" "
      "aria-label=\"Session\">";
  for (const SessionInfo& info : sessions) {
    if (!has_ports(info)) continue;
    html += "<option value=\"" + escape_html(path_of(info.row.key)) + "\"" +
            (info.active ? " selected" : "") + ">" + escape_html(text_of(info.row.key)) +
            "</option>";
  }
  return html + "</select> <button>Open</button></p></form>\n";
}

LocalAnswer page_or_problem(int status, std::string_view title, std::string_view detail,
                            bool navigation) {
  if (!navigation) return problem_answer(status, detail);
  return html_answer(status, title, html_paragraph(as_sentence(detail)) + start_link());
}

}  // namespace

LocalAnswer sessions_page(std::string_view user, const std::vector<SessionInfo>& sessions,
                          bool can_sign_out, std::optional<std::int64_t> now) {
  const bool changes = std::any_of(sessions.begin(), sessions.end(), is_on_its_way);
  const bool can_type = std::any_of(sessions.begin(), sessions.end(), has_ports);
  std::string html = html_paragraph("You are signed in as " + std::string(user) + ".");
  if (sessions.empty()) {
    html +=
        "<p>You have no session. Begin one with <code>POST /api/v1/sessions</code> and a token, "
        "or ask the operator of this service (<code>hpc-manager sessions start</code>).</p>\n";
  } else {
    html += "<table><tr><th>Session</th><th>State</th><th>Where</th><th></th></tr>\n";
    for (const SessionInfo& info : sessions) html += session_row(info, now);
    html += "</table>\n";
    if (can_type) html += port_form(sessions);
    html += "<p>The short address <code>/port/5500/</code> leads to your active session.</p>\n";
    if (changes && can_type) html += "<p>" + link("/", "Look again") + "</p>\n";
  }
  if (can_sign_out) {
    html += "<form method=\"post\" action=\"/logout\"><p><button>Sign out</button></p></form>\n";
  }
  // Coming again by itself, it would take away the number that somebody types.
  return form_page_answer(200, "Your sessions", html, changes && !can_type);
}

LocalAnswer nothing_here_answer(bool navigation) {
  return page_or_problem(404, "404 Not Found",
                         "there is nothing here, or nothing of yours; your sessions are on the "
                         "start page, /",
                         navigation);
}

LocalAnswer session_gone_answer(const SessionInfo& info, bool navigation) {
  std::string text = "the session " + text_of(info.row.key) + " has ended";
  if (info.row.ended_at) text += " at " + time_of(*info.row.ended_at);
  if (!info.row.reason.empty()) text += ": " + info.row.reason;
  return page_or_problem(410, "This session has ended", text, navigation);
}

LocalAnswer session_waiting_answer(const SessionInfo& info, const TunnelView* tunnel,
                                   bool navigation) {
  std::string text = "the session " + text_of(info.row.key) + " is " +
                     session_words(state_name(info.row.state), info.queue_position, info.row.node,
                                   info.row.reason);
  const std::string trouble = tunnel != nullptr ? tunnel->trouble() : std::string();
  if (!trouble.empty() && trouble != info.row.reason) text += "; " + trouble;
  LocalAnswer answer;
  if (navigation) {
    answer =
        html_answer(503, "Waiting for the session",
                    html_paragraph(as_sentence(text)) +
                        html_paragraph("This page goes on by itself once it works.") + start_link(),
                    true);
  } else {
    answer = problem_answer(503, text);
  }
  answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  return answer;
}

LocalAnswer no_active_session_answer(bool navigation) {
  return page_or_problem(404, "No active session",
                         "you have no active session, which /port/N/ leads to; choose one on the "
                         "start page, /, or use its own address, /user/NAME/CLUSTER/IDE/port/N/",
                         navigation);
}

}  // namespace hpc
