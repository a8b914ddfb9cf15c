#include "manager/config_check.h"

#include <gtest/gtest.h>

#include "manager/serve_table.h"
#include "manager/session/json.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

class ConfigCheckTest : public TempDirFixture {
 protected:
  PrintText check(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "check");
    const auto print =
        config_check(arguments, {{"HOME", dir}, {"HPC_MANAGER_MAX_SESSIONS", "7"}, {"LANG", "C"}});
    EXPECT_TRUE(print.has_value()) << (print ? "" : print.error().detail);
    return print.value_or(PrintText{});
  }
  // The line of an option, with runs of blanks as one.
  static std::string line_of(const std::string& text, const std::string& name) {
    const auto begin = ("\n" + text).find("\n" + name + " ");
    if (begin == std::string::npos) return "";
    std::string line;
    for (const char c : text.substr(begin, text.find('\n', begin) - begin)) {
      if (c != ' ' || line.empty() || line.back() != ' ') line.push_back(c);
    }
    return line;
  }
};

TEST_F(ConfigCheckTest, SaysEveryValueAndWhereItComesFrom) {
  put(dir + "/m.toml", "\nlog-format = 'json'\n");
  const auto print = check({"--config", dir + "/m.toml", "--cluster", "a=h1", "--cluster", "b=h2"});
  EXPECT_EQ(print.code, 0);
  EXPECT_EQ(print.problems, "");
  for (const auto& row : serve_option_table()) EXPECT_NE(line_of(print.text, row.name), "");
  EXPECT_EQ(line_of(print.text, "listen"), "listen 127.0.0.1:8000 default");
  EXPECT_EQ(line_of(print.text, "max-sessions"), "max-sessions 7 HPC_MANAGER_MAX_SESSIONS");
  EXPECT_EQ(line_of(print.text, "log-format"),
            "log-format json " + dir + "/m.toml line 2: log-format");
  EXPECT_EQ(line_of(print.text, "cluster"), "cluster a=h1 --cluster");
  EXPECT_NE(print.text.find(" b=h2 "), std::string::npos);
  EXPECT_EQ(line_of(print.text, "identity"), "identity - default");
  EXPECT_EQ(line_of(print.text, "state"),
            "state " + dir + "/.local/state/hpc-manager/state.db default");
}

TEST_F(ConfigCheckTest, ProblemsAreOnStderrAndGiveExitCodeSix) {
  const auto print = check({"--listen", "0.0.0.0:80"});
  EXPECT_EQ(print.code, 6);
  EXPECT_NE(line_of(print.text, "listen"), "");
  EXPECT_EQ(print.problems.rfind("hpc-manager: --listen: 0.0.0.0 is open", 0), 0U);
  EXPECT_NE(print.problems.find("\nhpc-manager: --cluster: at least one"), std::string::npos);
}

TEST_F(ConfigCheckTest, JsonHoldsValuesSourcesAndProblems) {
  put(dir + "/m.toml", "verbose = true\n");
  const auto print = check({"--json", "--config", dir + "/m.toml", "--admin", "x", "--admin", "y"});
  EXPECT_EQ(print.code, 6);
  EXPECT_EQ(print.problems, "");
  const auto json = parse_json(print.text);
  ASSERT_TRUE(json.has_value()) << print.text;
  const auto* options = json_member(json->get(), "options");
  ASSERT_EQ(static_cast<std::size_t>(cJSON_GetArraySize(options)), serve_option_table().size());
  EXPECT_NE(print.text.find(R"({"name":"admin","values":["x","y"],"source":"flag",)"
                            R"("origin":"--admin"})"),
            std::string::npos)
      << print.text;
  EXPECT_NE(print.text.find(R"({"name":"max-sessions","values":["7"],"source":"environment",)"),
            std::string::npos);
  EXPECT_NE(print.text.find(R"({"name":"verbose","values":["true"],"source":"file",)"),
            std::string::npos);
  EXPECT_NE(print.text.find(R"({"name":"identity","values":[],"source":"default",)"),
            std::string::npos);
  EXPECT_EQ(cJSON_GetArraySize(json_member(json->get(), "problems")), 1);
}

TEST_F(ConfigCheckTest, TextOfOthersCannotMoveTheCursor) {
  const auto print = check({"--known-hosts", "\x1b[2J"});
  EXPECT_EQ(print.text.find('\x1b'), std::string::npos);
  EXPECT_EQ(print.problems.find('\x1b'), std::string::npos);
}

TEST_F(ConfigCheckTest, HelpAndWrongUse) {
  const auto help = config_check({"check", "--help"}, {});
  ASSERT_TRUE(help.has_value());
  for (const char* words : {"--json", "--listen", "Examples:", "Exit codes:"}) {
    EXPECT_NE(help->text.find(words), std::string::npos) << words;
  }
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {}, {"chek"}, {"check", "--nonsense"}, {"check", "extra"}}) {
    const auto refused = config_check(arguments, {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::kUsage);
  }
}

}  // namespace
}  // namespace hpc
