#include "manager/serve_parser.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "manager/serve_table.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

class ServeParserTest : public TempDirFixture {
 protected:
  Result<std::variant<ServeOptions, PrintText>> parse(const std::vector<std::string>& arguments) {
    return parse_serve_command_line(arguments, {{"HOME", dir}});
  }
  ServeOptions options(const std::vector<std::string>& arguments) {
    const auto parsed = parse(arguments);
    EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error().detail);
    return parsed ? std::get<ServeOptions>(*parsed) : ServeOptions{};
  }
  std::string refusal(const std::vector<std::string>& arguments, Errc code) {
    const auto parsed = parse(arguments);
    EXPECT_FALSE(parsed.has_value());
    if (parsed) return "";
    EXPECT_EQ(parsed.error().code, code);
    return parsed.error().detail;
  }
};

TEST_F(ServeParserTest, OnePersonNeedsOneFlag) {
  const auto got = options({"--cluster", "main=alice@login01"});
  ASSERT_EQ(got.clusters.size(), 1U);
  EXPECT_EQ(got.clusters[0].name, "main");
  EXPECT_EQ(got.clusters[0].target.user, "alice");
  EXPECT_EQ(got.browser_url().text(), "http://127.0.0.1:8000");
  EXPECT_EQ(got.auth, AuthMode::kToken);
}

TEST_F(ServeParserTest, FlagsMayBeRepeatedWhereThereAreSeveral) {
  const auto got = options({"--cluster", "a=h1", "--cluster=b=h2", "--admin", "x", "--admin", "y",
                            "--trusted-proxy", "10.0.0.1", "--port-range", "vnc=6901-6999",
                            "--user-map", "(.+)@a=$1", "--verbose", "--root-fallback", "off"});
  EXPECT_EQ(got.clusters.size(), 2U);
  EXPECT_EQ(got.admins, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(got.trusted_proxies, std::vector<std::string>{"10.0.0.1/32"});
  EXPECT_EQ(got.port_ranges.size(), 1U);
  EXPECT_EQ(got.user_map.size(), 1U);
  EXPECT_TRUE(got.verbose);
  EXPECT_FALSE(got.root_fallback);
}

TEST_F(ServeParserTest, AWrongCommandLineIsAUsageError) {
  EXPECT_NE(refusal({"--nonsense"}, Errc::kUsage).find("--nonsense"), std::string::npos);
  EXPECT_NE(refusal({"login01"}, Errc::kUsage).find("login01"), std::string::npos);
  EXPECT_NE(refusal({"--listen"}, Errc::kUsage).find("--listen"), std::string::npos);
  EXPECT_NE(refusal({"--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2"}, Errc::kUsage)
                .find("--listen"),
            std::string::npos);
  EXPECT_NE(refusal({"--cluster", "a=h", "b=h"}, Errc::kUsage).find("b=h"), std::string::npos);
}

TEST_F(ServeParserTest, AllProblemsOfValuesAndOfTheirSumAreTold) {
  EXPECT_EQ(refusal({"--max-sessions", "0", "--tls-cert", "/no/cert"}, Errc::kConfig),
            "--max-sessions: '0' is no whole number from 1 to 10000\n"
            "--tls-cert: needs --tls-key with its private key\n"
            "--cluster: at least one is needed, as in --cluster main=login01.example.org\n"
            "--tls-cert: /no/cert cannot be read: No such file or directory");
}

TEST_F(ServeParserTest, NoAdviceAboutWhatDidNotParse) {
  EXPECT_EQ(refusal({"--cluster", "login01"}, Errc::kConfig),
            "--cluster: 'login01' is no NAME=[USER@]HOST[:PORT]; write main=login01.example.org");
  const auto detail =
      refusal({"--cluster", "a=h", "--auth", "header", "--trusted-proxy", "proxy"}, Errc::kConfig);
  EXPECT_EQ(detail.find('\n'), std::string::npos) << detail;
  EXPECT_EQ(refusal({"--config", "/no/file"}, Errc::kConfig).find('\n'), std::string::npos);
}

// Without its line breaks and runs of blanks.
std::string in_one_line(const std::string& text) {
  std::istringstream words(text);
  std::string line;
  for (std::string word; words >> word;) line += " " + word;
  return line;
}

TEST_F(ServeParserTest, HelpHasEveryOptionWithItsDefaultAndExamples) {
  const auto parsed = parse({"--help"});
  ASSERT_TRUE(parsed.has_value());
  const auto& text = std::get<PrintText>(*parsed).text;
  for (const auto& row : serve_option_table()) {
    const auto at = text.find(std::string("  --") + row.name +
                              (*row.metavar == '\0' ? "" : std::string(" ") + row.metavar));
    ASSERT_NE(at, std::string::npos) << row.name;
    if (*row.metavar != '\0' && *row.default_value != '\0') {
      EXPECT_NE(text.find(std::string("=") + row.default_value, at), std::string::npos) << row.name;
    }
    EXPECT_NE(in_one_line(text).find(row.help), std::string::npos) << row.name;
    EXPECT_NE(text.find(std::string(row.group) + ":"), std::string::npos) << row.group;
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  for (const char* words : {"Examples:", "one person", "behind nginx", "an institute", "SIGHUP"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words;
  }
}

TEST_F(ServeParserTest, EverythingIsReadAgainForAReload) {
  const auto path = dir + "/m.toml";
  std::ofstream(path) << "cluster = 'a=h'\n";
  const auto running = options({"--config", path, "--max-sessions", "7"});
  std::ofstream(path) << "cluster = 'a=h'\nadmin = 'alice'\nmax-sessions = 8\n";
  const EnvironmentMap environment{{"HOME", dir}};
  const auto again = read_serve_options_again(running, environment);
  ASSERT_TRUE(again.has_value()) << again.error().detail;
  EXPECT_EQ(again->admins, std::vector<std::string>{"alice"});
  EXPECT_EQ(again->max_sessions, 7U);
  std::ofstream(path) << "cluster = 'a=h'\nlisten = 1\n";
  EXPECT_FALSE(read_serve_options_again(running, environment).has_value());
}

}  // namespace
}  // namespace hpc
