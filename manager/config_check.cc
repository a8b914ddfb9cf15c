#include "manager/config_check.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <utility>

#include "manager/console.h"
#include "manager/serve_parser.h"
#include "manager/session/json.h"

namespace hpc {

namespace {

constexpr int kExitBadConfiguration = 6;  // contract 1
// Values that are longer push what is behind them to the right; that is still readable.
constexpr std::size_t kValueColumns = 32;

constexpr const char* kExamples =
    "Examples:\n"
    "  hpc-manager config check --config /etc/hpc-manager.toml\n"
    "  hpc-manager config check --json | jq -r '.problems[]'\n"
    "\n"
    "Takes the options of serve and its environment; see hpc-manager serve --help.\n"
    "\n"
    "Exit codes: 0 serve can start with it, 2 usage, 6 there are problems; they are on stderr.";

const char* source_name(ValueSource source) {
  switch (source) {
    case ValueSource::kFlag:
      return "flag";
    case ValueSource::kEnvironment:
      return "environment";
    case ValueSource::kFile:
      return "file";
    case ValueSource::kDefault:
      break;
  }
  return "default";
}

std::string padded(std::string text, std::size_t columns) {
  if (text.size() < columns) text.resize(columns, ' ');
  return text + "  ";
}

}  // namespace

std::string settings_text(const ServeSettings& settings) {
  std::size_t names = 0;
  for (const auto& value : settings.values) names = std::max(names, value.name.size());
  std::string text;
  for (const auto& value : settings.values) {
    const auto& texts = value.texts;
    for (std::size_t i = 0; i < std::max<std::size_t>(texts.size(), 1); ++i) {
      const auto shown = i < texts.size() ? json_safe(texts[i]) : "-";
      text += padded(i == 0 ? value.name : "", names) + padded(shown, kValueColumns) +
              json_safe(value.origin) + "\n";
    }
  }
  return text;
}

std::string settings_json(const ServeSettings& settings) {
  JsonPtr all(cJSON_CreateObject());
  JsonPtr options(cJSON_CreateArray());
  for (const auto& value : settings.values) {
    JsonPtr option(cJSON_CreateObject());
    add_text(option.get(), "name", value.name);
    JsonPtr texts(cJSON_CreateArray());
    for (const auto& text : value.texts) {
      append_value(texts.get(), JsonPtr(cJSON_CreateString(json_safe(text).c_str())));
    }
    add_value(option.get(), "values", std::move(texts));
    add_text(option.get(), "source", source_name(value.source));
    add_text(option.get(), "origin", value.origin);
    append_value(options.get(), std::move(option));
  }
  add_value(all.get(), "options", std::move(options));
  JsonPtr problems(cJSON_CreateArray());
  for (const auto& problem : settings.problems) {
    append_value(problems.get(), JsonPtr(cJSON_CreateString(json_safe(problem).c_str())));
  }
  add_value(all.get(), "problems", std::move(problems));
  return json_line(all.get()) + "\n";
}

Result<PrintText> config_check(const std::vector<std::string>& arguments,
                               const EnvironmentMap& environment) {
  CLI::App app("The configuration of serve.", "hpc-manager config");
  app.require_subcommand(1);
  auto* check = app.add_subcommand("check",
                                   "Say what serve would use, where it comes from and "
                                   "what is wrong with it");
  check->footer(kExamples);
  bool json = false;
  check->add_flag("--json", json, "print JSON");
  ServeFlagReader reader(*check);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return PrintText{app.help()};
  } catch (const CLI::ParseError& error) {
    return fail(Errc::kUsage, "command line",
                std::string(error.what()) + "; see hpc-manager config check --help");
  }
  const auto settings = checked_serve_settings(reader.flags(), environment);
  PrintText print{json ? settings_json(settings) : settings_text(settings)};
  for (const auto& problem : settings.problems) {
    if (!json) print.problems += console_text(problem);
  }
  if (!settings.problems.empty()) print.code = kExitBadConfiguration;
  return print;
}

}  // namespace hpc
