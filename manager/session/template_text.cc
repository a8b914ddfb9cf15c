#include "manager/session/template_text.h"

#include <algorithm>

namespace hpc {

namespace {

constexpr std::string_view kBlanks = " \t\r\f\v";
constexpr std::string_view kSharedEnd = "HPC_PROXY_SH_ENDS_HERE";
// What hpc-proxy takes for --url-template is shorter; no host and key come near it.
constexpr std::size_t kUrlTemplateBytesMax = 1024;
constexpr std::size_t kSessionIdBytes = 32;

// In front of the template's first command. The directory is 0700 from its first moment on: other
// users of the cluster may not even see the names in it.
constexpr std::string_view kPreambleBegin = R"sh(
# From here to "end of hpc-manager's lines": which session this job is of.
export HPC_SESSION_ID='@session@'
export HPC_PROXY_URL_TEMPLATE='@url_template@'
export HPC_SESSION_JOB="${SLURM_JOB_ID:-}"
export HPC_SESSION_DIR="${HOME:?the job has no HOME}/.hpc-proxy/sessions/$HPC_SESSION_ID"
HPC_PROXY_SCRIPTS="$HPC_SESSION_DIR"
if ! (umask 077 && mkdir -p "$HPC_SESSION_DIR" && chmod 700 "$HPC_SESSION_DIR" &&
  cat >"$HPC_SESSION_DIR/hpc-proxy.sh") <<'@end@'
)sh";
constexpr std::string_view kPreambleEnd = R"sh(@end@
then
  echo "hpc-manager: $HPC_SESSION_DIR cannot be made or written on $(hostname)" >&2
  exit 1
fi
# end of hpc-manager's lines
)sh";

bool is_blank(std::string_view line) {
  return line.find_first_not_of(kBlanks) == std::string_view::npos;
}

// The line at `at`, without its line end.
std::string_view line_at(std::string_view text, std::size_t at) {
  return text.substr(at, text.find('\n', at) - at);
}

std::size_t next_line_at(std::string_view text, std::size_t at) {
  const auto end = text.find('\n', at);
  return end == std::string_view::npos ? text.size() : end + 1;
}

Status bad_text(std::string detail) {
  return fail(Errc::kConfig, "job template", std::move(detail));
}

Status check_bytes(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return bad_text("holds a NUL byte");
  if (text.find("\r\n") != std::string_view::npos) {
    return bad_text("has line ends of DOS (CR LF), which sbatch refuses; convert it: dos2unix");
  }
  return {};
}

// "#!/bin/bash -l" -> "bash"; "#!/usr/bin/env bash" -> "bash".
std::string_view interpreter(std::string_view line) {
  std::string_view program;
  line.remove_prefix(2);
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    program = line.substr(0, line.find_first_of(kBlanks));
    line.remove_prefix(program.size());
    if (const auto slash = program.rfind('/'); slash != std::string_view::npos) {
      program.remove_prefix(slash + 1);
    }
    if (program != "env") return program;
  }
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// What a URL may be written with, and braces for the port. No quote, no backslash, no blank.
bool is_url_byte(char c) {
  constexpr std::string_view kMarks = "-._~:/?#[]@!$&()*+,;=%{}";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

bool is_url_template(std::string_view text) {
  constexpr std::string_view kPort = "{port}";
  const auto port = text.find(kPort);
  return text.size() <= kUrlTemplateBytesMax &&
         (text.rfind("https://", 0) == 0 || text.rfind("http://", 0) == 0) &&
         std::all_of(text.begin(), text.end(), is_url_byte) && port != std::string_view::npos &&
         text.find(kPort, port + 1) == std::string_view::npos;
}

std::string replaced(std::string_view text, std::string_view name, std::string_view value) {
  std::string out(text);
  const auto at = out.find(name);
  return at == std::string::npos ? out : out.replace(at, name.size(), value);
}

std::string preamble(std::string_view shared, std::string_view session,
                     std::string_view url_template) {
  auto out = replaced(kPreambleBegin, "@session@", session);
  out = replaced(out, "@url_template@", url_template);
  out = replaced(out, "@end@", kSharedEnd);
  out += shared;
  if (!shared.empty() && shared.back() != '\n') out += '\n';
  return out + replaced(kPreambleEnd, "@end@", kSharedEnd);
}

}  // namespace

std::size_t sbatch_head_size(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto line = line_at(text, at);
    if (!is_blank(line) && line.front() != '#') return at;
    at = next_line_at(text, at);
  }
  return text.size();
}

Status check_template_text(std::string_view text) {
  if (text.substr(0, 2) != "#!") return bad_text("does not begin with a line like #!/bin/bash");
  const auto program = interpreter(line_at(text, 0));
  if (program != "bash" && program != "sh") {
    return bad_text(
        "is not run by bash or sh; begin it with #!/bin/bash, and start other "
        "programs from there");
  }
  return check_bytes(text);
}

Status check_shared_script(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); at = next_line_at(text, at)) {
    if (line_at(text, at) == kSharedEnd) {
      return bad_text("has a line " + std::string(kSharedEnd) + ", which is hpc-manager's own");
    }
  }
  return check_bytes(text);
}

Result<std::string> compose_job_script(std::string_view text, std::string_view shared,
                                       std::string_view session, std::string_view url_template) {
  if (session.size() != kSessionIdBytes || !is_hex(session)) {
    return fail(Errc::kBadRequest, "job script", "the session's id is not 32 hex digits");
  }
  if (!is_url_template(url_template)) {
    return fail(Errc::kBadRequest, "job script",
                "the address is no URL with {port} that fits between quotes");
  }
  const auto head = sbatch_head_size(text);
  std::string out(text.substr(0, head));
  if (!out.empty() && out.back() != '\n') out += '\n';
  out += preamble(shared, session, url_template);
  out += text.substr(head);
  return out;
}

}  // namespace hpc
