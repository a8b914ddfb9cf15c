#include "manager/serve_settings.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "manager/paths.h"
#include "manager/serve_table.h"
#include "manager/serve_texts.h"
#include "manager/session/session_key.h"

namespace hpc {

namespace {

constexpr unsigned kOldLocalPorts = 100;  // as many as --local-ports 9000-9099 has

std::optional<std::string> variable(const EnvironmentMap& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

const char* type_text(const ServeOptionRow& row) {
  switch (row.type) {
    case TomlType::kNumber:
      return "a whole number without quotes";
    case TomlType::kBoolean:
      return "true or false";
    case TomlType::kTexts:
      return "a text in quotes, or a list of them in []";
    case TomlType::kText:
      break;
  }
  return "a text in quotes";
}

bool fits(const ServeOptionRow& row, const TomlEntry& entry) {
  if (row.type == TomlType::kTexts && entry.type == TomlType::kText) return true;
  // What is written on the command line may be written in the file, too.
  if (row.type == TomlType::kBoolean && entry.type == TomlType::kText) {
    return entry.texts.front() == "on" || entry.texts.front() == "off";
  }
  return row.type == entry.type;
}

class SettingsReader {
 public:
  SettingsReader(const ServeFlags& flags, const EnvironmentMap& environment)
      : flags_(flags), environment_(environment) {}

  ServeSettings read() {
    for (const auto& row : serve_option_table()) {
      settings_.values.push_back({row.name, {}, ValueSource::kDefault, "default"});
      if (*row.default_value != '\0') settings_.values.back().texts = {row.default_value};
    }
    from_command_line_and_environment("config");
    if (const auto& file = value("config").texts; !file.empty()) from_file(expand(file.front()));
    from_old_names();
    for (const auto& row : serve_option_table()) from_command_line_and_environment(row.name);
    fill_paths();
    apply();
    return std::move(settings_);
  }

 private:
  ServeValue& value(std::string_view name) {
    return *std::find_if(settings_.values.begin(), settings_.values.end(),
                         [&](const ServeValue& v) { return v.name == name; });
  }

  void set(std::string_view name, ValueSource source, std::string origin,
           std::vector<std::string> texts) {
    auto& target = value(name);
    target.texts = std::move(texts);
    target.source = source;
    target.origin = std::move(origin);
  }

  void problem(const std::string& option, std::string text) {
    settings_.problems.push_back(std::move(text));
    settings_.unknown.push_back(option);
  }

  std::string expand(const std::string& path) const {
    return expand_home(path, variable(environment_, "HOME").value_or(""));
  }

  void from_command_line_and_environment(const std::string& name) {
    const auto variable_name = serve_environment_name(name);
    if (const auto text = variable(environment_, variable_name)) {
      const auto row = std::find_if(serve_option_table().begin(), serve_option_table().end(),
                                    [&](const ServeOptionRow& r) { return r.name == name; });
      auto texts = row->type == TomlType::kTexts ? words(*text) : std::vector{*text};
      set(name, ValueSource::kEnvironment, variable_name, std::move(texts));
    }
    if (const auto flag = flags_.find(name); flag != flags_.end()) {
      auto texts = flag->second;
      texts.erase(std::remove(texts.begin(), texts.end(), ""), texts.end());
      set(name, ValueSource::kFlag, "--" + name, std::move(texts));
    }
  }

  void from_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text(kTomlBytesMax + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.is_open() || file.bad()) {
      return problem("config", value("config").origin + ": " + path +
                                   " cannot be read; does it exist, and may this user read it?");
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    const auto entries = read_toml(text);
    if (!entries) return problem("config", path + ": " + entries.error().detail);
    for (const auto& entry : *entries) from_entry(path, entry);
  }

  void from_entry(const std::string& path, const TomlEntry& entry) {
    const auto place = path + " line " + std::to_string(entry.line) + ": " + entry.key;
    const auto table = serve_option_table();
    const auto named = [&](const std::string& key) {
      return std::find_if(table.begin(), table.end(),
                          [&](const ServeOptionRow& row) { return row.name == key; });
    };
    const auto row = named(entry.key);
    if (row == table.end()) {
      std::string dashes = entry.key;
      std::replace(dashes.begin(), dashes.end(), '_', '-');
      return problem(
          "", place + " is no option; " +
                  (named(dashes) != table.end() ? "write " + dashes
                                                : "hpc-manager serve --help lists them all"));
    }
    if (entry.key == "config") return problem("", place + " cannot stand in the file itself");
    if (!fits(*row, entry)) return problem(entry.key, place + " takes " + type_text(*row));
    auto texts = entry.texts;
    if (row->type != TomlType::kTexts && texts.front().empty()) texts.clear();
    set(entry.key, ValueSource::kFile, place, std::move(texts));
  }

  void from_old_names() {
    const auto rename = [&](const char* old_name, const char* name) {
      if (const auto text = variable(environment_, old_name)) {
        set(name, ValueSource::kEnvironment, old_name, {*text});
      }
    };
    rename("MAX_CONCURRENT_ATTEMPTS_PER_JOB", "max-launching");
    rename("MAX_QUEUED_JOBS_PER_USER", "max-queued-per-user");
    rename("MAX_CONCURRENT_JOBS", "max-users-launching");
    // The file is asked first here: a job script's environment has this variable, too.
    const auto old_port = variable(environment_, "HPC_PROXY_LOCAL_PORT");
    if (old_port && value("local-ports").source == ValueSource::kDefault) {
      const auto first = parse_number(*old_port, 1024, 65535);
      if (!first) return problem("local-ports", "HPC_PROXY_LOCAL_PORT: " + first.error().detail);
      const auto last = std::min<std::uint64_t>(*first + kOldLocalPorts - 1, 65535);
      set("local-ports", ValueSource::kEnvironment, "HPC_PROXY_LOCAL_PORT",
          {std::to_string(*first) + "-" + std::to_string(last)});
    }
    old_port_ranges();
  }

  // VNC_PORT_RANGE_START=6901 with VNC_PORT_RANGE_END=6999 is vnc=6901-6999.
  void old_port_ranges() {
    constexpr std::string_view kStart = "_PORT_RANGE_START";
    constexpr std::string_view kEnd = "_PORT_RANGE_END";
    std::vector<std::string> texts;
    for (const auto& [variable_name, text] : environment_) {
      const bool starts = ends_with(variable_name, kStart);
      if ((!starts && !ends_with(variable_name, kEnd)) || text.empty()) continue;
      const auto tail = starts ? kStart.size() : kEnd.size();
      auto name = variable_name.substr(0, variable_name.size() - tail);
      const auto other = name + std::string(starts ? kEnd : kStart);
      const auto other_text = variable(environment_, other);
      if (!other_text) {
        auto half = variable_name;
        half.append(" is set, but not ").append(other).append("; a range needs both");
        problem("port-range", std::move(half));
      }
      if (!starts || !other_text) continue;
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      name.append("=").append(text).append("-").append(*other_text);
      texts.push_back(std::move(name));
    }
    if (!texts.empty()) {
      set("port-range", ValueSource::kEnvironment, "*_PORT_RANGE_START/END", std::move(texts));
    }
  }

  static bool ends_with(const std::string& text, std::string_view tail) {
    return text.size() > tail.size() &&
           text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
  }

  // Their defaults depend on the environment.
  void fill_paths() {
    const auto ask = [&](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    };
    const auto fill = [&](const char* name, const std::string& path) {
      if (value(name).texts.empty() && !path.empty()) value(name).texts = {path};
    };
    fill("state", default_state_path(ask));
    fill("socket", default_socket_path(ask));
  }

  void apply() {
    for (std::size_t i = 0; i < settings_.values.size(); ++i) {
      const auto& row = serve_option_table()[i];
      auto& chosen = settings_.values[i];
      if (chosen.texts.empty()) continue;
      if (is_path_option(row)) {
        for (auto& text : chosen.texts) text = expand(text);
      }
      const auto status = row.apply(settings_.options, chosen.texts);
      if (!status) problem(chosen.name, chosen.origin + ": " + status.error().detail);
    }
    auto& options = settings_.options;
    for (auto& cluster : options.clusters) {
      cluster.target.known_hosts = options.known_hosts;
      cluster.target.ssh_config = options.ssh_config;
    }
  }

  const ServeFlags& flags_;
  const EnvironmentMap& environment_;
  ServeSettings settings_;
};

}  // namespace

EnvironmentMap environment_of_process() {
  EnvironmentMap environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

ServeSettings read_serve_settings(const ServeFlags& flags, const EnvironmentMap& environment) {
  return SettingsReader(flags, environment).read();
}

}  // namespace hpc
