#include "node-proxy/options.h"

#include <getopt.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>

#include "node-proxy/option_table.h"

namespace hpc {

namespace {

tl::unexpected<Error> usage(std::string detail) {
  return fail(Errc::kUsage, "hpc-proxy", std::move(detail));
}

struct VerbName {
  std::string_view name;
  Verb verb;
  std::size_t arguments_min;
  std::size_t arguments_max;
};
constexpr VerbName kVerbs[] = {
    {"serve", Verb::kServe, 0, 0}, {"run", Verb::kRun, 0, 0},   {"status", Verb::kStatus, 0, 0},
    {"ports", Verb::kPorts, 0, 0}, {"url", Verb::kUrl, 1, 1},   {"env", Verb::kEnv, 0, 0},
    {"wait", Verb::kWait, 0, 1},   {"stop", Verb::kStop, 0, 0}, {"app", Verb::kApp, 1, 1},
};

/// What the command line says, before anything is looked at: option and value by table row.
struct RawLine {
  std::vector<std::optional<std::string>> values;
  std::vector<std::string> words;          // what is no option: the verb and its arguments
  std::vector<std::string> behind_dashes;  // what follows the first `--`
  bool help = false;
  bool version = false;
};

constexpr int kHelpCode = 1;
constexpr int kVersionCode = 2;
constexpr int kFirstRowCode = 1000;

std::vector<option> long_options() {
  std::vector<option> list;
  int code = kFirstRowCode;
  for (const OptionRow& row : option_table()) {
    const int takes_value = row.metavar[0] != '\0' ? required_argument : no_argument;
    list.push_back({row.name, takes_value, nullptr, code++});
  }
  list.push_back({"help", no_argument, nullptr, kHelpCode});
  list.push_back({"version", no_argument, nullptr, kVersionCode});
  list.push_back({nullptr, 0, nullptr, 0});
  return list;
}

Result<RawLine> split_line(std::span<const std::string> all) {
  const auto dashes = std::find(all.begin(), all.end(), "--");
  const std::span<const std::string> arguments(all.begin(), dashes);
  std::vector<std::string> copies = {"hpc-proxy"};  // getopt moves the pointers about
  copies.insert(copies.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(copies.size() + 1);
  for (std::string& text : copies) argv.push_back(text.data());
  argv.push_back(nullptr);
  const int argc = static_cast<int>(copies.size());

  const auto list = long_options();
  RawLine line;
  if (dashes != all.end()) line.behind_dashes.assign(dashes + 1, all.end());
  line.values.resize(option_table().size());
  optind = 0;  // glibc: start anew, whatever was parsed before in this process
  opterr = 0;
  while (true) {
    const int before = optind == 0 ? 1 : optind;
    const int code = getopt_long(argc, argv.data(), ":hvV", list.data(), nullptr);
    if (code == -1) break;
    const std::string at = argv[static_cast<std::size_t>(optind > before ? optind - 1 : before)];
    if (code == ':') return usage("option " + at + " needs a value; see hpc-proxy --help");
    if (code == '?') return usage("unknown option " + at + "; see hpc-proxy --help");
    if (code == 'h' || code == kHelpCode) {
      line.help = true;
    } else if (code == 'V' || code == kVersionCode) {
      line.version = true;
    } else if (code == 'v') {
      line.values[option_row("verbose")] = "1";
    } else {
      line.values[static_cast<std::size_t>(code - kFirstRowCode)] = optarg ? optarg : "1";
    }
  }
  for (int i = optind; i < argc; ++i) line.words.emplace_back(argv[static_cast<std::size_t>(i)]);
  return line;
}

/// `run -- COMMAND`: only the dashes tell the command's options from ours.
Status take_command(const RawLine& line, Options& options) {
  if (!options.arguments.empty() || line.behind_dashes.empty()) {
    return usage("run needs a command behind --, as in: hpc-proxy run -- live-server --port=5500");
  }
  if (line.values[option_row("daemon")]) {
    return usage("run stays until its command has ended; leave out --daemon");
  }
  options.command = line.behind_dashes;
  return {};
}

Status choose_verb(const RawLine& line, Options& options) {
  if (line.help || line.version) {
    options.verb = line.help ? Verb::kHelp : Verb::kVersion;
    if (!line.words.empty()) options.arguments = {line.words.front()};
    return {};
  }
  if (line.words.empty() && !line.behind_dashes.empty()) {
    return usage("a command goes behind run --, as in: hpc-proxy run -- " +
                 line.behind_dashes.front());
  }
  if (line.words.empty()) return {};
  for (const VerbName& known : kVerbs) {
    if (line.words.front() != known.name) continue;
    options.verb = known.verb;
    options.arguments.assign(line.words.begin() + 1, line.words.end());
    if (options.verb == Verb::kRun) return take_command(line, options);
    options.arguments.insert(options.arguments.end(), line.behind_dashes.begin(),
                             line.behind_dashes.end());
    const std::size_t count = options.arguments.size();
    if (count < known.arguments_min) {
      return usage(std::string(known.name) + " needs a port, as in: hpc-proxy " +
                   std::string(known.name) + " 5500; see hpc-proxy " + std::string(known.name) +
                   " --help");
    }
    if (count > known.arguments_max) {
      return usage("'" + options.arguments.back() + "' is one word too many for " +
                   std::string(known.name));
    }
    return {};
  }
  return usage("unknown command '" + line.words.front() + "'; see hpc-proxy --help");
}

bool applies(const OptionRow& row, Verb verb) {
  if (row.for_serve && (verb == Verb::kServe || verb == Verb::kRun)) return true;
  const auto* const known = std::find_if(std::begin(kVerbs), std::end(kVerbs),
                                         [verb](const VerbName& v) { return v.verb == verb; });
  return known != std::end(kVerbs) && verb_takes(known->name, row.name);
}

Status apply_row(const OptionRow& row, const std::optional<std::string>& flag,
                 const Environment& environment, Options& options) {
  if (flag && !applies(row, options.verb)) {
    return usage(std::string("option --") + row.name + " does not go with this command");
  }
  if (!applies(row, options.verb)) return {};
  std::string source = std::string("--") + row.name;
  std::optional<std::string> value = flag;
  if (!value) {
    const std::string name =
        row.environment[0] != '\0' ? row.environment : environment_name(row.name);
    value = environment(name.c_str());
    // An empty variable is how a script says "not set".
    if (value && value->empty()) value.reset();
    source = name;
  }
  const std::string given = value.value_or(row.default_value);
  const auto applied = row.apply(options, given);
  if (applied) return {};
  return usage(source + " '" + given + "': " + applied.error().detail);
}

}  // namespace

std::string environment_name(std::string_view name) {
  std::string text = "HPC_PROXY_";
  for (const char c : name) {
    text += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return text;
}

Environment process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

Result<Options> parse_options(std::span<const std::string> arguments,
                              const Environment& environment) {
  const auto line = split_line(arguments);
  if (!line) return tl::unexpected<Error>(line.error());
  Options options;
  if (const auto chosen = choose_verb(*line, options); !chosen) {
    return tl::unexpected<Error>(chosen.error());
  }
  if (options.verb == Verb::kHelp || options.verb == Verb::kVersion) return options;
  const auto rows = option_table();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (const auto done = apply_row(rows[i], line->values[i], environment, options); !done) {
      return tl::unexpected<Error>(done.error());
    }
  }
  if (options.state_dir.empty()) {
    const auto home = environment("HOME");
    if (home && !home->empty()) options.state_dir = *home + "/.hpc-proxy";
  }
  return options;
}

}  // namespace hpc
