#include "node-proxy/pages.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <string>
#include <utility>

#include "node-proxy/ports_text.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

// A problem is about one port; whoever wants to know all of them asks for /ports.
constexpr std::size_t kProblemPortsMax = 32;
// Deeper than any app's pages; a link for every port must not become long.
constexpr std::ptrdiff_t kStepsUpMax = 16;

constexpr std::string_view kGoesOn =
    " This page goes on by itself as soon as it listens, also without JavaScript.";

std::string upper_first(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

LocalAnswer try_again(LocalAnswer answer) {
  answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  return answer;
}

std::string warning_html(const NodeProxyState& state) {
  if (!state.walltime_warning) return {};
  return "<p class=\"warning\"><strong>The job reaches its time limit soon.</strong> Save your "
         "work.</p>\n";
}

std::string quiet(std::string_view text) {
  if (text.empty()) return {};
  return "<p><small>" + escape_html(text) + "</small></p>\n";
}

/// What "(private)" in the table means, and what its absence means.
std::string_view private_note(const PortsView& view, const NodeProxyState& state) {
  if (!state.record.private_ports) return {};
  const bool all = std::all_of(view.ports.begin(), view.ports.end(),
                               [](const auto& port) { return port.is_private; });
  constexpr std::string_view kAll =
      "Private ports are this session's own: other users of this node can use the same numbers.";
  constexpr std::string_view kSome =
      "Private ports are this session's own: other users of this node can use the same numbers. "
      "The "
      "others are the whole node's: nobody else can use that number here.";
  return all ? kAll : kSome;
}

std::string start_hint(std::uint16_t port) {
  return "<p>To start something there, in the job:</p>\n<pre>python3 -m http.server " +
         std::to_string(port) + " --bind 127.0.0.1</pre>\n";
}

}  // namespace

LocalAnswer Pages::answer(int status, std::string_view title, std::string_view detail,
                          const Asker& asker, std::string_view hint) const {
  const PortsView& view = ports_.ports();
  if (!asker.navigation) {
    std::string text(detail);
    if (!view.ports.empty()) text += "; " + ports_sentence(view);
    const std::string listening =
        "\"listening\":" + ports_array(view, state_, unix_ms(), kProblemPortsMax);
    return problem_answer(status, text, view.known ? listening : std::string());
  }
  const bool refreshes = status == 503;
  std::string html = warning_html(state_);
  html += html_paragraph(upper_first(std::string(detail)) + "." +
                         std::string(refreshes ? kGoesOn : std::string_view()));
  const std::string all = "<a href=\"" + escape_html(asker.home + "ports") + "\">All ports</a>";
  if (view.known && view.ports.empty()) {
    html += "<p>No program of yours listens on a port of this node yet. " + all + "</p>\n";
  } else if (view.known) {
    html += "<p>Your programs that do listen here:</p>\n<ul>\n" +
            ports_items(view, state_, asker.home) + "</ul>\n<p>" + all + "</p>\n";
  }
  html += hint;
  html += quiet(job_text(state_, unix_ms()));
  return html_answer(status, title, html, refreshes);
}

LocalAnswer Pages::waiting(std::uint16_t port, const Asker& asker) const {
  const std::string number = std::to_string(port);
  return try_again(answer(503, "Waiting for port " + number + " on " + state_.record.host,
                          "nothing listens on port " + number + " of this node yet", asker,
                          start_hint(port)));
}

LocalAnswer Pages::waiting_for_socket(const Asker& asker) const {
  return try_again(answer(503, "Waiting for the app on " + state_.record.host,
                          "nothing listens on the app's socket yet; start the app", asker, ""));
}

LocalAnswer Pages::no_app(const Asker& asker) const {
  return try_again(answer(
      503, "This session has no app yet",
      "it is not set which app this session shows here; in the job, run hpc-proxy app 5500 (the "
      "app's port) or hpc-proxy app unix:/PATH (its socket)",
      asker, ""));
}

LocalAnswer Pages::problem(int status, std::string_view title, std::string_view detail,
                           const Asker& asker) const {
  return answer(status, title, detail, asker, "");
}

LocalAnswer Pages::ports(bool html) const {
  if (!ports_.ports().known) {
    constexpr std::string_view kUnknown =
        "the kernel does not tell which ports are in use (neither netlink nor /proc/net); apps are "
        "still under /port/N/";
    return error_answer(503, kUnknown, html);
  }
  if (!html) return json_answer(200, ports_json());
  return html_answer(200, "Ports on " + state_.record.host, ports_html());
}

std::string Pages::ports_json() const {
  const PortsView& view = ports_.ports();
  const JobRecord& record = state_.record;
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto text = [&json](const char* name, std::string_view value) {
    json.Key(name);
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  json.StartObject();
  text("host", record.host);
  text("job_id", record.job_id);
  json.Key("count");
  json.Uint64(view.ports.size());
  json.Key("left_out");
  json.Uint64(view.left_out);
  json.Key("names_complete");
  json.Bool(view.names_complete);
  json.Key("ports");
  const std::string array = ports_array(view, state_, unix_ms(), kPortsMax);
  json.RawValue(array.data(), array.size(), rapidjson::kArrayType);
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

std::string Pages::ports_html() const {
  const PortsView& view = ports_.ports();
  std::string html = warning_html(state_);
  if (view.ports.empty()) {
    constexpr std::uint16_t kExamplePort = 5500;
    html +=
        "<p>No program of yours listens on a port of this node yet. Reload this page to look "
        "again.</p>\n" +
        start_hint(kExamplePort);
  } else {
    html += "<table>\n<tr><th>Port</th><th>Program</th><th>Process</th><th>Runs for</th></tr>\n" +
            ports_rows(view, state_, unix_ms()) + "</table>\n";
  }
  if (view.left_out > 0) {
    html += html_paragraph(std::to_string(view.left_out) + " more are not shown.");
  }
  if (!view.names_complete) {
    html += html_paragraph("Some programs are still being looked for: reload this page.");
  }
  if (!view.ports.empty()) {
    html += quiet("Your own programs that can be reached here. Reload this page to look again.");
    html += quiet(private_note(view, state_));
  }
  return html + quiet(job_text(state_, unix_ms()));
}

std::string home_link(std::string_view path, std::string_view route_prefix,
                      std::string_view external_prefix) {
  if (!external_prefix.ends_with(route_prefix)) return std::string(external_prefix) + "/";
  const auto steps_up = std::count(path.begin(), path.end(), '/') - 1;
  if (steps_up > kStepsUpMax) {
    external_prefix.remove_suffix(route_prefix.size());
    return std::string(external_prefix) + "/";
  }
  std::string link;
  for (std::ptrdiff_t i = 0; i < steps_up; ++i) link += "../";
  return link;
}

bool wants_html(const RequestHead& head) {
  if (!is_navigation(head)) return false;
  const auto accept = head.fields.find("Accept");
  return !accept || accept->find("application/json") == std::string_view::npos ||
         accept->find("text/html") != std::string_view::npos;
}

LocalAnswer unauthorized_answer() {
  auto answer = problem_answer(
      401, "this hpc-proxy lets in its own user only; use `hpc-manager connect` to reach it");
  answer.fields.emplace_back("WWW-Authenticate", "HPC-Proxy-Token");
  return answer;
}

}  // namespace hpc
