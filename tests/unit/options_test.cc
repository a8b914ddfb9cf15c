#include "node-proxy/options.h"

#include <gtest/gtest.h>

#include <map>
#include <ostream>

#include "node-proxy/option_table.h"

namespace hpc {
namespace {

using Variables = std::map<std::string, std::string>;

Result<Options> parse(const std::vector<std::string>& arguments, const Variables& variables = {}) {
  return parse_options(arguments, [&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(OptionsTest, DefaultsAreThoseOfTheContract) {
  const auto got = parse({}, {{"HOME", "/home/alice"}});
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->verb, Verb::kServe);
  EXPECT_EQ(got->port.first, 0);
  EXPECT_EQ(got->state_dir, "/home/alice/.hpc-proxy");
  EXPECT_EQ(got->server.limits.target_bytes_max, 8192U);
  EXPECT_EQ(got->server.limits.head_bytes_max, 65536U);
  EXPECT_EQ(got->server.limits.fields_max, 128U);
  EXPECT_EQ(got->server.head_timeout_ms, 10'000U);
  EXPECT_EQ(got->server.idle_timeout_ms, 75'000U);
  EXPECT_EQ(got->connect_timeout_ms, 5'000U);
  EXPECT_EQ(got->server.connections_max, 1024U);
  EXPECT_EQ(got->server.buffer_bytes_max, 64U * 1024 * 1024);
  EXPECT_TRUE(got->allow_ports.contains(1024));
  EXPECT_FALSE(got->allow_ports.contains(1023));
  EXPECT_FALSE(got->daemon || got->verbose || got->require_token || got->ready_fd ||
               got->base_rewrite);
}

TEST(OptionsTest, FlagBeatsEnvironmentBeatsDefault) {
  const Variables variables = {{"HPC_PROXY_MAX_FIELDS", "50"}};
  EXPECT_EQ(parse({"--max-fields", "60"}, variables)->server.limits.fields_max, 60U);
  EXPECT_EQ(parse({}, variables)->server.limits.fields_max, 50U);
  EXPECT_EQ(parse({})->server.limits.fields_max, 128U);
}

TEST(OptionsTest, PortComesFromListenAndNeverFromWhatEnvExports) {
  EXPECT_EQ(parse({}, {{"HPC_PROXY_LISTEN", "9000-9099"}})->port.last, 9099);
  EXPECT_EQ(parse({}, {{"HPC_PROXY_PORT", "9000"}})->port.first, 0);
  EXPECT_TRUE(parse({}, {{"HPC_PROXY_PORT", "rubbish"}}).has_value());
}

TEST(OptionsTest, EmptyVariableIsNotSet) {
  EXPECT_EQ(parse({}, {{"HPC_PROXY_MAX_FIELDS", ""}})->server.limits.fields_max, 128U);
}

TEST(OptionsTest, RunTakesTheCommandBehindTheDashesAsItIs) {
  const auto got = parse({"run", "--require-token", "--", "app", "--port", "5500", "--", "-v"});
  ASSERT_TRUE(got.has_value()) << got.error().detail;
  EXPECT_EQ(got->verb, Verb::kRun);
  EXPECT_EQ(got->command, (std::vector<std::string>{"app", "--port", "5500", "--", "-v"}));
  EXPECT_EQ(got->private_mode, PrivateMode::kLoopback);
  EXPECT_TRUE(got->require_token);
  EXPECT_TRUE(got->arguments.empty());
}

TEST(OptionsTest, RunSettingsComeFromFlagsAndEnvironment) {
  const auto got = parse({"run", "--shared-ports", "8786-8787,29500", "--", "app"},
                         {{"HPC_PROXY_PRIVATE", "netns"}});
  ASSERT_TRUE(got.has_value()) << got.error().detail;
  EXPECT_EQ(got->private_mode, PrivateMode::kNetns);
  EXPECT_EQ(got->shared_ports, "8786-8787,29500");
}

TEST(OptionsTest, RunSaysWhatIsWrongWithItsLine) {
  const struct {
    std::vector<std::string> line;
    std::string_view detail;
  } cases[] = {
      {{"run"}, "needs a command behind --"},
      {{"run", "--"}, "needs a command behind --"},
      {{"run", "app"}, "needs a command behind --"},
      {{"run", "app", "--", "app"}, "needs a command behind --"},
      {{"run", "--daemon", "--", "app"}, "leave out --daemon"},
      {{"run", "--private", "root", "--", "app"}, "must be loopback, netns, auto or off"},
      {{"run", "--shared-ports", "x", "--", "app"}, "must be a list of ports and ranges"},
      {{"run", "--json", "--", "app"}, "does not go with this command"},
      {{"--", "app"}, "run --"},
      {{"serve", "--", "app"}, "one word too many"},
      {{"--private", "netns"}, "does not go with this command"},
  };
  for (const auto& one : cases) {
    const auto got = parse(one.line);
    ASSERT_FALSE(got.has_value()) << one.detail;
    EXPECT_EQ(got.error().code, Errc::kUsage);
    EXPECT_NE(got.error().detail.find(one.detail), std::string::npos) << got.error().detail;
  }
}

TEST(OptionsTest, SwitchInTheEnvironment) {
  EXPECT_TRUE(parse({}, {{"HPC_PROXY_REQUIRE_TOKEN", "1"}})->require_token);
  EXPECT_TRUE(parse({}, {{"HPC_PROXY_BASE_REWRITE", "1"}})->base_rewrite);
  EXPECT_FALSE(parse({}, {{"HPC_PROXY_REQUIRE_TOKEN", "off"}})->require_token);
  EXPECT_FALSE(parse({}, {{"HPC_PROXY_REQUIRE_TOKEN", "maybe"}}).has_value());
}

TEST(OptionsTest, RootFallbackIsOnUntilItIsSwitchedOff) {
  EXPECT_TRUE(parse({})->root_fallback);
  EXPECT_FALSE(parse({"--root-fallback", "off"})->root_fallback);
  EXPECT_TRUE(parse({"--root-fallback=on"}, {{"HPC_PROXY_ROOT_FALLBACK", "off"}})->root_fallback);
  EXPECT_FALSE(parse({}, {{"HPC_PROXY_ROOT_FALLBACK", "off"}})->root_fallback);
}

struct BadCase {
  const char* name;
  std::vector<std::string> arguments;
  const char* says;  // the message names the option and the value
};
void PrintTo(const BadCase& c, std::ostream* os) { *os << c.name; }

const BadCase kBad[] = {
    {"unknown_option", {"--bogus"}, "--bogus"},
    {"unknown_with_value", {"--bogus=1"}, "--bogus"},
    {"unknown_short", {"-x"}, "-x"},
    {"missing_value", {"--port"}, "--port"},
    {"unknown_verb", {"run"}, "run"},
    {"port_text", {"--port", "abc"}, "--port 'abc'"},
    {"port_high", {"--port", "65536"}, "--port '65536'"},
    {"port_backwards", {"--port", "9-8"}, "--port '9-8'"},
    {"port_zero_range", {"--port", "0-9"}, "--port '0-9'"},
    {"port_open_range", {"--port", "9000-"}, "--port '9000-'"},
    {"host_name", {"--host", "localhost"}, "--host 'localhost'"},
    {"relative_dir", {"--state-dir", "x"}, "--state-dir 'x'"},
    {"relative_file", {"--port-file", "x"}, "--port-file 'x'"},
    {"negative", {"--idle-exit", "-1"}, "--idle-exit '-1'"},
    {"size_unit", {"--max-head", "64GB"}, "--max-head '64GB'"},
    {"size_small", {"--max-head", "10"}, "--max-head '10'"},
    {"size_overflow", {"--max-head", "4294967295MiB"}, "--max-head"},
    {"zero_timeout", {"--head-timeout", "0"}, "--head-timeout '0'"},
    {"root_fallback", {"--root-fallback", "maybe"}, "--root-fallback 'maybe'"},
    {"log_format", {"--log-format", "xml"}, "--log-format 'xml'"},
    {"template_no_port", {"--url-template", "/x/"}, "--url-template '/x/'"},
    {"template_quote", {"--url-template", "/'{port}/"}, "--url-template"},
    {"template_shell", {"--url-template", "/$(id){port}/"}, "--url-template"},
    {"allow_ports", {"--allow-ports", "1,,2"}, "--allow-ports '1,,2'"},
    {"not_for_serve", {"--json"}, "--json"},
    {"not_for_status", {"status", "--port", "1"}, "--port"},
    {"url_without_port", {"url"}, "url needs a port"},
    {"one_word_too_many", {"status", "5500"}, "5500"},
};

class BadOptionsTest : public testing::TestWithParam<BadCase> {};
TEST_P(BadOptionsTest, SaysWhichAndWhy) {
  const auto got = parse(GetParam().arguments);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::kUsage);
  EXPECT_NE(describe(got.error()).find(GetParam().says), std::string::npos)
      << describe(got.error());
}
INSTANTIATE_TEST_SUITE_P(Table, BadOptionsTest, testing::ValuesIn(kBad),
                         [](const auto& c) { return c.param.name; });

TEST(OptionsTest, BadVariableIsCalledByItsName) {
  const auto got = parse({}, {{"HPC_PROXY_MAX_FIELDS", "many"}});
  ASSERT_FALSE(got.has_value());
  EXPECT_NE(describe(got.error()).find("HPC_PROXY_MAX_FIELDS 'many'"), std::string::npos);
}

TEST(OptionsTest, SizesAndRanges) {
  EXPECT_EQ(parse({"--max-target", "16KiB"})->server.limits.target_bytes_max, 16384U);
  EXPECT_EQ(parse({"--buffer-memory=1MiB"})->server.buffer_bytes_max, 1048576U);
  EXPECT_EQ(parse({"--max-target", "9000"})->server.limits.target_bytes_max, 9000U);
  const auto range = parse({"--port", "9000-9099"});
  EXPECT_EQ(range->port.first, 9000);
  EXPECT_EQ(range->port.last, 9099);
}

TEST(OptionsTest, VerbsAndTheirArguments) {
  EXPECT_EQ(parse({"url", "5500"})->arguments.at(0), "5500");
  EXPECT_EQ(parse({"wait", "--timeout", "3"})->timeout_ms, 3000U);
  EXPECT_TRUE(parse({"status", "--json"})->json);
  EXPECT_EQ(parse({"serve", "-v"})->verb, Verb::kServe);
  EXPECT_EQ(parse({"--bogus-is-fine-with", "--help"}).has_value(), false);
  EXPECT_EQ(parse({"status", "--help"})->verb, Verb::kHelp);
  EXPECT_EQ(parse({"--version"})->verb, Verb::kVersion);
}

TEST(OptionsTest, HelpNamesEveryOptionAndVariable) {
  const std::string help = help_text();
  for (const OptionRow& row : option_table()) {
    EXPECT_NE(help.find(std::string("--") + row.name), std::string::npos) << row.name;
    const std::string variable =
        row.environment[0] != '\0' ? row.environment : environment_name(row.name);
    EXPECT_NE(help.find("[" + variable + "]"), std::string::npos) << variable;
  }
  EXPECT_EQ(help.find("localhost"), std::string::npos);
}

TEST(PortSetTest, HoldsWhatTheListSays) {
  const auto set = PortSet::parse("80,3000-3010,65535");
  ASSERT_TRUE(set.has_value());
  for (const int port : {80, 3000, 3005, 3010, 65535}) {
    EXPECT_TRUE(set->contains(static_cast<std::uint16_t>(port))) << port;
  }
  for (const int port : {79, 81, 2999, 3011, 65534}) {
    EXPECT_FALSE(set->contains(static_cast<std::uint16_t>(port))) << port;
  }
}

TEST(PortSetTest, RangesHaveALimit) {
  std::string list = "1";
  for (std::size_t i = 1; i < PortSet::kRangesMax; ++i) list += ",1";
  EXPECT_TRUE(PortSet::parse(list).has_value());
  EXPECT_FALSE(PortSet::parse(list + ",1").has_value());
}

TEST(VerbHelpTest, EveryCommandHasOneWithExamples) {
  for (const char* verb : {"run", "status", "ports", "url", "env", "wait", "app", "stop"}) {
    const auto got = parse({verb, "--help"});
    ASSERT_TRUE(got) << verb;
    EXPECT_EQ(got->verb, Verb::kHelp);
    const auto text = help_text(got->arguments.front());
    EXPECT_TRUE(text.starts_with("Usage: hpc-proxy " + std::string(verb))) << text;
    for (const char* part : {"\nOptions:\n", "  -h, --help", "\nExamples:\n", "\nExit codes: 0 "}) {
      EXPECT_NE(text.find(part), std::string::npos) << verb << part;
    }
    EXPECT_NE(help_text().find("\n  hpc-proxy " + std::string(verb)), std::string::npos) << verb;
    std::size_t begin = 0;
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      EXPECT_LE(end - begin, 130U) << text.substr(begin, end - begin);
      begin = end + 1;
    }
  }
}

TEST(VerbHelpTest, OthersGetTheWholeHelp) {
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"--help"}, {"serve", "-h"}, {"nonsense", "--help"}}) {
    const auto got = parse(line);
    ASSERT_TRUE(got);
    EXPECT_EQ(help_text(got->arguments.empty() ? "" : got->arguments.front()), help_text());
  }
}

TEST(VerbHelpTest, CommandTakesWhatItsHelpLists) {
  EXPECT_TRUE(verb_takes("ports", "json") && verb_takes("wait", "timeout"));
  EXPECT_FALSE(verb_takes("ports", "jso") || verb_takes("ports", "timeout"));
  EXPECT_FALSE(verb_takes("serve", "port") || verb_takes("nonsense", "json"));
  EXPECT_TRUE(parse({"ports", "--json"})->json);
  EXPECT_EQ(parse({"ports"})->verb, Verb::kPorts);
  EXPECT_TRUE(
      parse({"wait", "80", "--allow-foreign-ports", "80"})->allow_foreign_ports.contains(80));
  for (const std::vector<std::string>& line : {std::vector<std::string>{"stop", "--json"},
                                               {"status", "--timeout", "3"},
                                               {"url", "80", "--keep-prefix"},
                                               {"ports", "--port", "80"},
                                               {"ports", "80"}}) {
    const auto got = parse(line);
    ASSERT_FALSE(got) << line.front();
    EXPECT_EQ(got.error().code, Errc::kUsage);
  }
}

}  // namespace
}  // namespace hpc
