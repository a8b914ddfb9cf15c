#include "common/answers.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sodium.h>

#include <array>

#include "common/http_status.h"

namespace hpc {

namespace {

constexpr std::string_view kStyle =
    ":root{color-scheme:light "
    "dark;--text:#1d2125;--back:#fff;--soft:#f0f2f4;--line:#d5dae0;--edge-of-field:#7a838c;"
    "--link:#0b57a4;--warn:#fff3d1;--edge:#c98a00}"
    "@media(prefers-color-scheme:dark){:root{--text:#e3e6ea;--back:#15181c;--soft:#23282e;"
    "--line:#3b424a;--edge-of-field:#87919b;--link:#85bcff;--warn:#3a2e0a;--edge:#d9a521}}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44em;margin:0 auto;padding:2em 1em;"
    "color:var(--text);background:var(--back);overflow-wrap:anywhere}"
    "h1{font-size:1.5em;line-height:1.25}a{color:var(--link)}small{opacity:.8}"
    "code,pre{background:var(--soft);padding:.1em .35em;border-radius:4px}"
    "pre{padding:.7em;overflow:auto}ul{padding-left:1.3em}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.45em .8em .45em 0;"
    "border-bottom:1px solid var(--line);overflow-wrap:break-word}"
    "td small{display:block}td form{margin:0}"
    "button,input,select{font:inherit;padding:.3em .6em;border:1px solid var(--edge-of-field);"
    "border-radius:4px;background:var(--back);color:inherit;max-width:100%;box-sizing:border-box}"
    "button{background:var(--soft);cursor:pointer;white-space:nowrap}"
    ".warning{background:var(--warn);border-left:4px solid var(--edge);padding:.6em .8em}";

// Nothing but our own style runs or loads, whatever might slip into a page.
std::string content_security_policy(std::string_view limits) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(kStyle.data()),
                     kStyle.size());
  std::array<char,
             sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL)>
      text{};
  sodium_bin2base64(text.data(), text.size(), digest.data(), digest.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  return "default-src 'none'; style-src 'sha256-" + std::string(text.data()) +
         "'; base-uri 'none'; " + std::string(limits);
}

LocalAnswer page(int status, std::string_view title, std::string_view html, bool refreshes) {
  LocalAnswer answer;
  answer.status = status;
  answer.fields = {{"Content-Type", "text/html; charset=utf-8"},
                   {"X-Content-Type-Options", "nosniff"},
                   {"Cache-Control", "no-store"}};
  auto& body = answer.body;
  body =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">";
  if (refreshes) {
    body += "<meta http-equiv=\"refresh\" content=\"" + std::to_string(kRetrySeconds) + "\">";
  }
  const std::string heading = escape_html(title);
  body += "<title>" + heading + "</title><style>";
  body += kStyle;
  body += "</style></head><body><h1>" + heading + "</h1>\n";
  body += html;
  body += "</body></html>\n";
  return answer;
}

}  // namespace

std::string html_paragraph(std::string_view text) { return "<p>" + escape_html(text) + "</p>\n"; }

std::string as_sentence(std::string_view detail) {
  std::string text(detail);
  if (text.empty()) return text;
  const bool letter = text.front() >= 'a' && text.front() <= 'z';
  if (letter && !text.starts_with("hpc-")) text.front() = static_cast<char>(text.front() - 32);
  if (text.back() != '.' && text.back() != '!' && text.back() != '?') text += '.';
  return text;
}

bool is_navigation(const RequestHead& head) {
  if (head.method != "GET" && head.method != "HEAD" && head.method != "POST") return false;
  if (const auto mode = head.fields.find(FieldId::kSecFetchMode)) return mode == "navigate";
  const auto accept = head.fields.find(FieldId::kAccept);
  return accept && accept->find("text/html") != std::string_view::npos;
}

LocalAnswer html_answer(int status, std::string_view title, std::string_view html, bool refreshes) {
  auto answer = page(status, title, html, refreshes);
  answer.fields.emplace_back("Content-Security-Policy",
                             content_security_policy("form-action 'none'; frame-ancestors 'self'"));
  answer.fields.emplace_back("Referrer-Policy", "no-referrer");
  return answer;
}

LocalAnswer form_page_answer(int status, std::string_view title, std::string_view html,
                             bool refreshes) {
  auto answer = page(status, title, html, refreshes);
  answer.fields.emplace_back("Content-Security-Policy",
                             content_security_policy("form-action 'self'; frame-ancestors 'none'"));
  answer.fields.emplace_back("X-Frame-Options", "DENY");
  answer.fields.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  answer.fields.emplace_back("Referrer-Policy", "same-origin");
  return answer;
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

LocalAnswer problem_answer(int status, std::string_view detail, std::string_view member) {
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
  std::string body(buffer.GetString(), buffer.GetSize());
  if (!member.empty()) body.insert(body.size() - 1, "," + std::string(member));
  auto answer = json_answer(status, body + "\n");
  answer.fields[0].second = "application/problem+json";
  return answer;
}

LocalAnswer error_answer(int status, std::string_view detail, bool navigation) {
  if (!navigation) return problem_answer(status, detail);
  return html_answer(status, std::to_string(status) + " " + std::string(reason_phrase(status)),
                     html_paragraph(as_sentence(detail)));
}

LocalAnswer root_fallback_answer(std::string location) {
  LocalAnswer answer;
  answer.status = 307;
  answer.fields = {
      {"Location", std::move(location)}, {"Cache-Control", "no-store"}, {"Vary", "Referer"}};
  return answer;
}

}  // namespace hpc
