#include "node-proxy/option_table.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <utility>

#include "common/job_record.h"
#include "node-proxy/options.h"

namespace hpc {

namespace {

tl::unexpected<Error> must(std::string rule) {
  return fail(Errc::kUsage, "option", "must be " + std::move(rule));
}

template <class T>
Status set_number(T& target, std::string_view text, std::uint64_t low, std::uint64_t high,
                  std::uint64_t factor = 1) {
  std::uint64_t value = 0;
  const char* last = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), last, value);
  if (failed != std::errc{} || end != last || value < low || value > high) {
    return must("a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  target = static_cast<T>(value * factor);
  return {};
}

Status set_switch(bool& target, std::string_view text) {
  for (const char* yes : {"1", "yes", "true", "on"}) {
    if (text == yes) return target = true, Status();
  }
  for (const char* no : {"", "0", "no", "false", "off"}) {
    if (text == no) return target = false, Status();
  }
  return must("1, yes, true, on, or 0, no, false, off");
}

/// "65536", "64KiB", "64MiB".
Status set_size(std::size_t& target, std::string_view text, std::size_t low, std::size_t high) {
  std::uint64_t unit = 1;
  if (text.ends_with("KiB")) unit = 1024;
  if (text.ends_with("MiB")) unit = std::uint64_t{1024} * 1024;
  if (unit > 1) text.remove_suffix(3);
  std::uint64_t value = 0;
  const auto parsed = set_number(value, text, 1, std::numeric_limits<std::uint32_t>::max());
  if (!parsed || value * unit < low || value * unit > high) {
    return must("a size from " + std::to_string(low) + " to " + std::to_string(high) +
                " bytes, as in 65536, 64KiB or 64MiB");
  }
  target = static_cast<std::size_t>(value * unit);
  return {};
}

constexpr std::uint64_t kSecondMs = 1000;
constexpr std::uint64_t kDaySeconds = 86400;
constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = kKiB * 1024;

Status set_port(Options& options, std::string_view value) {
  if (value == "0") return options.port = {}, Status();
  const auto range = parse_port_range(value);
  if (!range) return must("0 for any free port, a port from 1 to 65535, or FIRST-LAST");
  options.port = *range;
  return {};
}

Status set_host(Options& options, std::string_view value) {
  const std::string host(value);
  std::array<unsigned char, sizeof(in6_addr)> scratch{};
  if (!host.empty() && inet_pton(AF_INET, host.c_str(), scratch.data()) != 1 &&
      inet_pton(AF_INET6, host.c_str(), scratch.data()) != 1) {
    return must("a numeric address, as in 127.0.0.1; names are not resolved");
  }
  options.host = host;
  return {};
}

Status set_directory(Options& options, std::string_view value) {
  if (!value.empty() && value.front() != '/') return must("an absolute path");
  options.state_dir = value;
  return {};
}

Status set_port_file(Options& options, std::string_view value) {
  if (!value.empty() && (value.front() != '/' || value.back() == '/')) {
    return must("the absolute path of a file");
  }
  options.port_file = value;
  return {};
}

Status set_ready_fd(Options& options, std::string_view value) {
  if (value.empty()) return {};
  int fd = 0;
  // Descriptor numbers end far below this on every Linux.
  auto parsed = set_number(fd, value, 0, 1'048'576);
  if (parsed) options.ready_fd = fd;
  return parsed;
}

Status set_log_format(Options& options, std::string_view value) {
  if (value != "text" && value != "json") return must("text or json");
  options.log_format = value == "json" ? LogFormat::kJson : LogFormat::kText;
  return {};
}

Status set_url_template(Options& options, std::string_view value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '\'' && c != '"' && c != '\\' && c != '`' && c != '$';
  });
  const bool placed =
      value.starts_with('/') || value.starts_with("http://") || value.starts_with("https://");
  if (!value.empty() && (!plain || !placed || value.find("{port}") == std::string_view::npos)) {
    return must("a path or an http(s) URL with {port} in it");
  }
  options.url_template = value;
  return {};
}

Status set_app(Options& options, std::string_view value) {
  if (!value.empty() && !is_app_target(value)) {
    return must("a port, or unix: and the absolute path of a socket");
  }
  options.app = value;
  return {};
}

Status set_allow_ports(Options& options, std::string_view value) {
  auto set = PortSet::parse(value);
  if (!set) return must("a list of ports and ranges, as in 1024-65535 or 80,3000-3010");
  options.allow_ports = std::move(*set);
  return {};
}

Status set_allow_foreign_ports(Options& options, std::string_view value) {
  if (value.empty()) return {};
  auto set = PortSet::parse(value);
  if (!set) return must("a list of ports and ranges, as in 8888 or 80,3000-3010");
  options.allow_foreign_ports = std::move(*set);
  return {};
}

Status set_shared_ports(Options& options, std::string_view value) {
  if (!value.empty() && !PortSet::parse(value)) {
    return must("a list of ports and ranges, as in 8786-8787,29500");
  }
  options.shared_ports = value;
  return {};
}

Status set_private(Options& options, std::string_view value) {
  constexpr std::pair<std::string_view, PrivateMode> kModes[] = {
      {"loopback", PrivateMode::kLoopback},
      {"netns", PrivateMode::kNetns},
      {"auto", PrivateMode::kAuto},
      {"off", PrivateMode::kOff},
  };
  for (const auto& [name, mode] : kModes) {
    if (value == name) return options.private_mode = mode, Status();
  }
  return must("loopback, netns, auto or off");
}

constexpr OptionRow kRows[] = {
    {"port", "HPC_PROXY_LISTEN", "N|A-B", "0", true, false,
     "listen on this port, on the first free one of a range, or on any free one (0)", set_port},
    {"host", "", "ADDR", "", true, false,
     "listen on this address only (default: all; 127.0.0.1 means ::1 as well)", set_host},
    {"state-dir", "", "DIR", "", true, true,
     "where the port file and the job records are (default: ~/.hpc-proxy)", set_directory},
    {"port-file", "", "PATH", "", true, false, "write the port number here instead of DIR/port",
     set_port_file},
    {"daemon", "", "", "", true, false,
     "return when it listens; end with the calling shell, or with the SLURM task",
     [](Options& o, std::string_view v) { return set_switch(o.daemon, v); }},
    {"ready-fd", "", "N", "", true, false,
     "write the port number to this open descriptor when it listens, then close it", set_ready_fd},
    {"verbose", "", "", "", true, false, "also log every request (path without query)",
     [](Options& o, std::string_view v) { return set_switch(o.verbose, v); }},
    {"log-format", "", "text|json", "text", true, false, "how log lines look", set_log_format},
    {"url-template", "", "T", "", true, true,
     "what `url` and `env` show for an app, with {port} in it (default: /port/{port}/)",
     set_url_template},
    {"app", "", "TARGET", "", true, false,
     "the app behind /app/: a port, or unix:/PATH, a socket in a directory of your own", set_app},
    {"keep-prefix", "", "", "", true, true, "the app knows its prefix, so send it on",
     [](Options& o, std::string_view v) { return set_switch(o.keep_prefix, v); }},
    {"allow-ports", "", "LIST", "1024-65535", true, false,
     "app ports that may be reached; others are answered 403", set_allow_ports},
    {"allow-foreign-ports", "", "LIST", "", true, false,
     "app ports that may be reached whoever listens there (default: only your own programs)",
     set_allow_foreign_ports},
    {"base-rewrite", "", "", "", true, false,
     "rewrite links inside HTML pages, for apps that only work at /",
     [](Options& o, std::string_view v) { return set_switch(o.base_rewrite, v); }},
    {"require-token", "", "", "", true, false,
     "let nobody in without the token, not even processes of the same user",
     [](Options& o, std::string_view v) { return set_switch(o.require_token, v); }},
    {"root-fallback", "", "on|off", "on", true, false,
     "send /x that a page under /port/N/ asks for to /port/N/x, for apps that only work at /",
     [](Options& o, std::string_view v) { return set_switch(o.root_fallback, v); }},
    {"idle-exit", "", "SECONDS", "0", true, false,
     "end after this long without a request or an open connection to an app (0: never)",
     [](Options& o, std::string_view v) {
       return set_number(o.idle_exit_ms, v, 0, 365 * kDaySeconds, kSecondMs);
     }},
    {"max-target", "", "SIZE", "8KiB", true, false, "longest request target; longer: 414",
     [](Options& o, std::string_view v) {
       return set_size(o.server.limits.target_bytes_max, v, 64, kMiB);
     }},
    {"max-head", "", "SIZE", "64KiB", true, false, "largest request head; larger: 431",
     [](Options& o, std::string_view v) {
       return set_size(o.server.limits.head_bytes_max, v, kKiB, kMiB);
     }},
    {"max-fields", "", "N", "128", true, false, "most fields in a request head; more: 431",
     [](Options& o, std::string_view v) {
       return set_number(o.server.limits.fields_max, v, 8, 10'000);
     }},
    {"head-timeout", "", "SECONDS", "10", true, false,
     "how long a request head may take, from its first byte; longer: 408",
     [](Options& o, std::string_view v) {
       return set_number(o.server.head_timeout_ms, v, 1, kDaySeconds, kSecondMs);
     }},
    {"idle-timeout", "", "SECONDS", "75", true, false,
     "how long a connection may wait for its next request",
     [](Options& o, std::string_view v) {
       return set_number(o.server.idle_timeout_ms, v, 1, kDaySeconds, kSecondMs);
     }},
    {"connect-timeout", "", "SECONDS", "5", true, false,
     "how long connecting to an app may take; longer: 504",
     [](Options& o, std::string_view v) {
       return set_number(o.connect_timeout_ms, v, 1, kDaySeconds, kSecondMs);
     }},
    {"max-connections", "", "N", "1024", true, false, "most connections at once; more: 503",
     [](Options& o, std::string_view v) {
       return set_number(o.server.connections_max, v, 1, 1'000'000);
     }},
    {"buffer-memory", "", "SIZE", "64MiB", true, false,
     "memory for bytes in transit over all requests; at the bound reading pauses",
     [](Options& o, std::string_view v) {
       return set_size(o.server.buffer_bytes_max, v, kMiB, 1024 * kMiB);
     }},
    {"private", "", "MODE", "loopback", false, true,
     "where the command of `run` has its ports: loopback, netns, auto or off", set_private},
    {"shared-ports", "", "LIST", "", false, true,
     "ports of that command that stay as they are, for programs that other nodes talk to",
     set_shared_ports},
    {"timeout", "", "SECONDS", "30", false, true, "how long `wait` waits",
     [](Options& o, std::string_view v) {
       return set_number(o.timeout_ms, v, 0, kDaySeconds, kSecondMs);
     }},
    {"json", "", "", "", false, true, "print data as JSON",
     [](Options& o, std::string_view v) { return set_switch(o.json, v); }},
};

}  // namespace

std::span<const OptionRow> option_table() { return kRows; }

std::size_t option_row(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kRows), std::end(kRows),
                                         [name](const auto& row) { return row.name == name; });
  return static_cast<std::size_t>(found - std::begin(kRows));
}

}  // namespace hpc
