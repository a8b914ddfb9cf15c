#include "node-proxy/pages.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string>

#include "common/http_status.h"

namespace hpc {

namespace {

// Long enough not to load a node, short enough that a person does not reach for the reload button.
constexpr const char* kRetrySeconds = "2";

LocalAnswer html_answer(int status, const std::string& title, const std::string& body,
                        bool refreshes) {
  LocalAnswer answer;
  answer.status = status;
  answer.fields = {{"Content-Type", "text/html; charset=utf-8"},
                   {"X-Content-Type-Options", "nosniff"},
                   {"Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                    "form-action 'none'"},
                   {"Referrer-Policy", "no-referrer"},
                   {"Cache-Control", "no-store"}};
  answer.body = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">";
  if (refreshes) {
    answer.body.append("<meta http-equiv=\"refresh\" content=\"").append(kRetrySeconds);
    answer.body.append("\">");
  }
  answer.body.append("<title>").append(title).append("</title><style>");
  answer.body.append("body{font:16px/1.5 sans-serif;max-width:40em;margin:4em auto;padding:0 1em}");
  answer.body.append("</style></head><body><h1>").append(title).append("</h1>\n");
  answer.body.append(body).append("</body></html>\n");
  return answer;
}

std::string paragraph(std::string_view text) { return "<p>" + escape_html(text) + "</p>\n"; }

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

bool is_navigation(const RequestHead& head) {
  if (head.method != "GET" && head.method != "HEAD" && head.method != "POST") return false;
  if (const auto mode = head.fields.find("Sec-Fetch-Mode")) return mode == "navigate";
  const auto accept = head.fields.find("Accept");
  return accept && accept->find("text/html") != std::string_view::npos;
}

LocalAnswer json_answer(int status, std::string body) {
  LocalAnswer answer;
  answer.status = status;
  answer.fields = {{"Content-Type", "application/json"},
                   {"X-Content-Type-Options", "nosniff"},
                   {"Cache-Control", "no-store"}};
  answer.body = std::move(body);
  return answer;
}

LocalAnswer problem_answer(int status, std::string_view detail) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto text = [&json](std::string_view value) {
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  json.StartObject();
  json.Key("type");
  text("about:blank");
  json.Key("title");
  text(reason_phrase(status));
  json.Key("status");
  json.Int(status);
  json.Key("detail");
  text(detail);
  json.EndObject();
  auto answer = json_answer(status, std::string(buffer.GetString(), buffer.GetSize()) + "\n");
  answer.fields[0].second = "application/problem+json";
  return answer;
}

LocalAnswer error_answer(int status, std::string_view detail, bool navigation) {
  if (!navigation) return problem_answer(status, detail);
  const std::string title = std::to_string(status) + " " + std::string(reason_phrase(status));
  return html_answer(status, title, paragraph(detail), false);
}

LocalAnswer waiting_answer(std::uint16_t port, std::string_view host, std::string_view warning,
                           bool navigation) {
  const std::string number = std::to_string(port);
  LocalAnswer answer;
  if (navigation) {
    const std::string title = "Waiting for port " + number + " on " + escape_html(host);
    std::string body = paragraph("Nothing listens on port " + number +
                                 " of this node yet. Start the app there; this page goes on by "
                                 "itself as soon as it listens.");
    if (!warning.empty()) body += paragraph(warning);
    answer = html_answer(503, title, body, true);
  } else {
    answer = problem_answer(503, "nothing listens on port " + number + " of this node yet");
  }
  answer.fields.emplace_back("Retry-After", kRetrySeconds);
  return answer;
}

LocalAnswer unauthorized_answer() {
  auto answer = problem_answer(
      401, "this hpc-proxy lets in its own user only; use `hpc-manager connect` to reach it");
  answer.fields.emplace_back("WWW-Authenticate", "HPC-Proxy-Token");
  return answer;
}

}  // namespace hpc
