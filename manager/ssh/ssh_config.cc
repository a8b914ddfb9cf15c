#include "manager/ssh/ssh_config.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <utility>

namespace hpc {
namespace {

constexpr int kPromptsMax = 10;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// Values that hold several paths are separated by blanks; a path with blanks is in quotes.
std::vector<std::string> split_paths(std::string_view text) {
  std::vector<std::string> paths;
  std::string path;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      if (!path.empty()) paths.push_back(std::exchange(path, {}));
    } else {
      path += c;
    }
  }
  if (!path.empty()) paths.push_back(path);
  return paths;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < 1 || value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

/// Replaces ~, ${NAME} and the percent tokens of ssh_config(5).
class PathExpander {
 public:
  PathExpander(const SshLocalUser& local, const SshConfig& config)
      : local_(local), config_(config) {}

  std::string operator()(std::string_view path) const {
    std::string out;
    if (path == "~" || path.starts_with("~/")) {
      out = local_.home;
      path.remove_prefix(1);
    }
    while (!path.empty()) {
      if (path.front() == '%' && path.size() > 1) {
        out += token(path[1]);
        path.remove_prefix(2);
      } else if (const auto end = path.find('}'); path.starts_with("${") && end != path.npos) {
        out += local_.environment(std::string(path.substr(2, end - 2)));
        path.remove_prefix(end + 1);
      } else {
        out += path.front();
        path.remove_prefix(1);
      }
    }
    return out;
  }

 private:
  std::string token(char name) const {
    switch (name) {
      case '%':
        return "%";
      case 'd':
        return local_.home;
      case 'u':
        return local_.name;
      case 'i':
        return local_.uid;
      case 'h':
        return config_.hostname;
      case 'n':
        return config_.host;
      case 'k':
        return config_.host_key_alias.empty() ? config_.host : config_.host_key_alias;
      case 'r':
        return config_.user;
      case 'p':
        return std::to_string(config_.port);
      default:
        return std::string("%") + name;
    }
  }

  const SshLocalUser& local_;
  const SshConfig& config_;
};

bool is_yes(const std::string& value) { return value == "yes" || value == "true"; }

/// The values as they were printed, before anything is expanded.
class RawValues {
 public:
  explicit RawValues(std::string_view text) {
    for (const std::string& line : split(text, '\n')) {
      const auto blank = line.find(' ');
      if (blank == std::string::npos) continue;
      std::string value = line.substr(blank + 1);
      if (!value.empty() && value.back() == '\r') value.pop_back();
      values_[line.substr(0, blank)].push_back(std::move(value));
    }
  }
  /// The first value, or `otherwise`.
  std::string get(const std::string& key, const std::string& otherwise = {}) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : found->second.front();
  }
  std::vector<std::string> all(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::vector<std::string>() : found->second;
  }

 private:
  std::unordered_map<std::string, std::vector<std::string>> values_;
};

std::string agent_socket(const std::string& value, const SshLocalUser& local,
                         const PathExpander& expand) {
  if (value == "none") return {};
  if (value.empty() || value == "SSH_AUTH_SOCK") return local.environment("SSH_AUTH_SOCK");
  if (value.front() == '$' && !value.starts_with("${")) return local.environment(value.substr(1));
  return expand(value);
}

StrictHostKey strict_host_key(const std::string& value) {
  if (value == "yes" || value == "true") return StrictHostKey::kYes;
  return value == "accept-new" ? StrictHostKey::kAcceptNew : StrictHostKey::kAsk;
}

void read_scalars(const RawValues& raw, SshConfig& config) {
  config.host = raw.get("host", raw.get("hostname"));
  config.hostname = raw.get("hostname");
  config.user = raw.get("user");
  config.identities_only = is_yes(raw.get("identitiesonly"));
  config.host_key_alias = raw.get("hostkeyalias");
  config.strict_host_key = strict_host_key(raw.get("stricthostkeychecking"));
  config.hash_known_hosts = is_yes(raw.get("hashknownhosts"));
  if (const auto jump = raw.get("proxyjump"); jump != "none") config.jump_hosts = split(jump, ',');
  if (const auto command = raw.get("proxycommand"); command != "none") {
    config.proxy_command = command;
  }
  config.preferred_methods = split(raw.get("preferredauthentications"), ',');
  // `yes`, `unbound` and `host-bound` all allow keys.
  config.public_key_allowed =
      raw.get("pubkeyauthentication") != "no" && raw.get("pubkeyauthentication") != "false";
  config.keyboard_interactive_allowed = is_yes(raw.get("kbdinteractiveauthentication", "yes"));
  config.password_allowed = is_yes(raw.get("passwordauthentication", "yes"));
  config.batch_mode = is_yes(raw.get("batchmode"));
  const std::string prompts = raw.get("numberofpasswordprompts", "3");
  std::from_chars(prompts.data(), prompts.data() + prompts.size(), config.prompts_max);
  config.prompts_max = std::clamp(config.prompts_max, 1, kPromptsMax);
}

void read_paths(const RawValues& raw, const SshLocalUser& local, SshConfig& config) {
  const PathExpander expand(local, config);
  for (const auto& file : raw.all("identityfile")) {
    if (file != "none") config.identity_files.push_back(expand(file));
  }
  for (const auto& file : raw.all("certificatefile")) {
    if (file != "none") config.certificate_files.push_back(expand(file));
  }
  const auto paths = [&](const std::string& key, const std::string& otherwise) {
    std::vector<std::string> out;
    for (const auto& path : split_paths(raw.get(key, otherwise))) {
      if (path != "none") out.push_back(expand(path));
    }
    return out;
  };
  config.user_known_hosts = paths("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2");
  config.global_known_hosts =
      paths("globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2");
  config.agent_socket = agent_socket(raw.get("identityagent"), local, expand);
}

}  // namespace

Result<SshConfig> parse_ssh_config(std::string_view text, const SshLocalUser& local) {
  const RawValues raw(text);
  SshConfig config;
  const auto port = parse_port(raw.get("port", "22"));
  if (!port) return fail(Errc::kConfig, "ssh.config", "'" + raw.get("port") + "' is not a port");
  config.port = *port;
  read_scalars(raw, config);
  if (config.hostname.empty()) {
    return fail(Errc::kConfig, "ssh.config", "ssh -G printed no host name");
  }
  if (config.user.empty()) config.user = local.name;
  read_paths(raw, local, config);
  return config;
}

SshConfig default_ssh_config(const std::string& host, const SshLocalUser& local) {
  std::string text = "host " + host + "\nhostname " + host + "\n";
  for (const char* name : {"id_rsa", "id_ecdsa", "id_ed25519"}) {
    text += std::string("identityfile ~/.ssh/") + name + "\n";
  }
  auto config = parse_ssh_config(text, local);
  return config ? *config : SshConfig{};  // fails only for an empty host, which is refused earlier
}

Result<SshJump> parse_ssh_jump(std::string_view text) {
  const auto whole = std::string(text);
  const auto refuse = [&whole](const char* why) {
    return fail(Errc::kConfig, "ssh.config", "ProxyJump '" + whole + "': " + why);
  };
  if (text.starts_with("ssh://")) text.remove_prefix(6);
  if (text.ends_with('/')) text.remove_suffix(1);
  SshJump jump;
  if (const auto at = text.rfind('@'); at != text.npos) {
    if (at == 0) return refuse("no user before the @");
    jump.user = std::string(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  std::string_view port;
  if (const auto close = text.find(']'); text.starts_with('[') && close != text.npos) {
    jump.host = std::string(text.substr(1, close - 1));
    port = text.substr(close + 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    jump.host = std::string(text.substr(0, text.find(':')));
    port = text.substr(text.find(':'));
  } else {
    jump.host = std::string(text);  // a bare IPv6 address has several colons and no port
  }
  if (jump.host.empty() || jump.host.front() == '-') return refuse("no host name");
  if (port.empty()) return jump;
  jump.port = parse_port(port.substr(1));
  if (port.front() != ':' || !jump.port) return refuse("the port is not a number in 1..65535");
  return jump;
}

}  // namespace hpc
