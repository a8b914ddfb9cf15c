#include "manager/session/template_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace hpc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::string_literals;

constexpr std::string_view kSession = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kUrl = "https://hpc.example.org/user/alice/main/vscode~2/port/{port}/";
constexpr std::string_view kEnd = "HPC_PROXY_SH_ENDS_HERE";

struct HeadCase {
  const char* name;
  std::string_view head;  // what sbatch reads
  std::string_view rest;
};
void PrintTo(const HeadCase& c, std::ostream* os) { *os << c.name; }

constexpr HeadCase kHeadCases[] = {
    {"empty", "", ""},
    {"only_a_head", "#!/bin/bash\n#SBATCH --time=1\n", ""},
    {"no_last_line_end", "#!/bin/bash\n#SBATCH --time=1", ""},
    {"command", "#!/bin/bash\n#SBATCH --time=1\n", "echo 1\n#SBATCH --time=2\n"},
    {"comments_and_blanks", "#!/bin/bash\n\n# text\n  \t\n#SBATCH -n1\n\n", "true"},
    {"command_at_once", "", "true\n#!/bin/bash\n"},
    {"indented_comment_is_a_command_for_sbatch", "#!/bin/bash\n", "  # text\n#SBATCH -n1\n"},
    {"indented_command", "#!/bin/bash\n", "  true\n"},
    {"blanks_at_the_end", "#!/bin/bash\n  ", ""},
    {"continued_comment_is_no_continued_comment", "#!/bin/bash\n# text \\\n", "true\n"},
};

class SbatchHeadTest : public ::testing::TestWithParam<HeadCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, SbatchHeadTest, ::testing::ValuesIn(kHeadCases),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(SbatchHeadTest, EndsWhereSbatchStops) {
  const std::string text = std::string(GetParam().head) + std::string(GetParam().rest);
  EXPECT_EQ(sbatch_head_size(text), GetParam().head.size());
}

TEST_P(SbatchHeadTest, StaysInFrontOfTheSessionsLines) {
  const auto& want = GetParam();
  const auto script =
      compose_job_script(std::string(want.head) + std::string(want.rest), "", kSession, kUrl);
  ASSERT_TRUE(script) << describe(script.error());
  const auto at = script->find("\n# From here");
  ASSERT_NE(at, std::string::npos);
  const auto front = script->substr(0, at);
  EXPECT_TRUE(front == want.head || front == std::string(want.head) + "\n") << front;
  EXPECT_EQ(sbatch_head_size(*script), script->find("export HPC_SESSION_ID"));
  EXPECT_EQ(script->substr(script->size() - want.rest.size()), want.rest);
}

struct TextCase {
  const char* name;
  std::string text;
  const char* problem;  // "": it is a template
};
void PrintTo(const TextCase& c, std::ostream* os) { *os << c.name; }

const TextCase kTextCases[] = {
    {"bash", "#!/bin/bash\ntrue\n", ""},
    {"sh", "#!/bin/sh\n", ""},
    {"login_shell", "#!/bin/bash -l\n", ""},
    {"blank_in_front", "#! /usr/bin/bash\n", ""},
    {"env", "#!/usr/bin/env bash\n", ""},
    {"no_line_end", "#!/bin/bash", ""},
    {"carriage_return_inside_a_line", "#!/bin/bash\nprintf 'a\rb'\n", ""},
    {"empty", "", "does not begin"},
    {"no_interpreter", "true\n", "does not begin"},
    {"late_interpreter", "\n#!/bin/bash\n", "does not begin"},
    {"nothing_named", "#!\ntrue\n", "is not run by bash or sh"},
    {"env_alone", "#!/usr/bin/env\n", "is not run by bash or sh"},
    {"other_program", "#!/usr/bin/python3\n", "is not run by bash or sh"},
    {"other_shell", "#!/bin/tcsh\n", "is not run by bash or sh"},
    {"bash_in_the_path_only", "#!/opt/bash/python\n", "is not run by bash or sh"},
    {"dos", "#!/bin/bash\r\ntrue\r\n", "CR LF"},
    {"dos_later", "#!/bin/bash\ntrue\r\n", "CR LF"},
    {"nul", "#!/bin/bash\nprintf '\0'\n"s, "NUL"},
};

class TemplateTextTest : public ::testing::TestWithParam<TextCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, TemplateTextTest, ::testing::ValuesIn(kTextCases),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(TemplateTextTest, IsChecked) {
  const auto& want = GetParam();
  const auto checked = check_template_text(want.text);
  EXPECT_EQ(checked.has_value(), std::string(want.problem).empty());
  if (checked) return;
  EXPECT_EQ(checked.error().code, Errc::kConfig);
  EXPECT_THAT(checked.error().detail, HasSubstr(want.problem));
}

const TextCase kSharedCases[] = {
    {"plain", "hpc-proxy --daemon\n", ""},
    {"empty", "", ""},
    {"delimiter_in_a_line", "echo HPC_PROXY_SH_ENDS_HERE\n", ""},
    {"delimiter_with_a_blank", "HPC_PROXY_SH_ENDS_HERE \n", ""},
    {"delimiter", "a\nHPC_PROXY_SH_ENDS_HERE\nrm -rf ~\n", "hpc-manager's own"},
    {"delimiter_first", "HPC_PROXY_SH_ENDS_HERE\n", "hpc-manager's own"},
    {"delimiter_last", "a\nHPC_PROXY_SH_ENDS_HERE", "hpc-manager's own"},
    {"nul", "\0"s, "NUL"},
    {"dos", "true\r\n", "CR LF"},
};

class SharedScriptTest : public ::testing::TestWithParam<TextCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, SharedScriptTest, ::testing::ValuesIn(kSharedCases),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(SharedScriptTest, IsChecked) {
  const auto& want = GetParam();
  const auto checked = check_shared_script(want.text);
  EXPECT_EQ(checked.has_value(), std::string(want.problem).empty());
  if (!checked) {
    EXPECT_THAT(checked.error().detail, HasSubstr(want.problem));
  }
}

TEST(JobScriptTest, SetsWhatTheTemplateFinds) {
  const auto script = compose_job_script("#!/bin/bash\ntrue\n", "shared\n", kSession, kUrl);
  ASSERT_TRUE(script);
  EXPECT_THAT(
      *script,
      AllOf(StartsWith("#!/bin/bash\n"),
            HasSubstr("export HPC_SESSION_ID='" + std::string(kSession) + "'\n"),
            HasSubstr("export HPC_PROXY_URL_TEMPLATE='" + std::string(kUrl) + "'\n"),
            HasSubstr("/.hpc-proxy/sessions/$HPC_SESSION_ID\"\n"),
            HasSubstr("<<'" + std::string(kEnd) + "'\nshared\n" + std::string(kEnd) + "\nthen\n")));
}

TEST(JobScriptTest, EndsTheSharedScriptsLastLine) {
  const auto script = compose_job_script("#!/bin/bash\n", "shared", kSession, kUrl);
  EXPECT_THAT(*script, HasSubstr("\nshared\n" + std::string(kEnd) + "\nthen\n"));
}

// The delimiter ends one here-document, the one of the shared script, and that has ended before the
// template's first command.
TEST(JobScriptTest, TemplateWithTheDelimiterStaysWhatItIs) {
  const std::string text = "#!/bin/bash\n#" + std::string(kEnd) + "\n" + std::string(kEnd) + "\n";
  const auto script = compose_job_script(text, "shared\n", kSession, kUrl);
  ASSERT_TRUE(script);
  const auto begin = script->find("<<'");
  EXPECT_EQ(script->find("\n" + std::string(kEnd) + "\n", begin), script->find("\nshared\n") + 7);
  EXPECT_LT(script->find("\n#" + std::string(kEnd)), begin);
}

struct ValueCase {
  const char* name;
  std::string session;
  std::string url;
  bool good = false;
};
void PrintTo(const ValueCase& c, std::ostream* os) { *os << c.name; }

const std::string kId(kSession);
const ValueCase kValueCases[] = {
    {"good", kId, "https://a.b/user/u/c/i~2/port/{port}/", true},
    {"address", kId, "http://[::1]:8000/{port}", true},
    {"longest", kId, "http://h/{port}" + std::string(1024 - 15, 'a'), true},
    {"too_long", kId, "http://h/{port}" + std::string(1024 - 14, 'a')},
    {"no_session", "", "http://h/{port}"},
    {"short_session", kId.substr(1), "http://h/{port}"},
    {"long_session", kId + "0", "http://h/{port}"},
    {"path_in_session", "../" + kId.substr(3), "http://h/{port}"},
    {"upper_case_session", "A" + kId.substr(1), "http://h/{port}"},
    {"quote_in_session", "'" + kId.substr(1), "http://h/{port}"},
    {"no_url", kId, ""},
    {"other_scheme", kId, "ftp://h/{port}"},
    {"no_port", kId, "https://h/"},
    {"two_ports", kId, "https://h/{port}/{port}/"},
    {"quote", kId, "https://h/'$(id)'/{port}"},
    {"double_quote", kId, "https://h/\"/{port}"},
    {"backslash", kId, "https://h/\\/{port}"},
    {"back_quote", kId, "https://h/`id`/{port}"},
    {"line_end", kId, "https://h/{port}\nid"},
    {"blank", kId, "https://h/ /{port}"},
    {"nul", kId, "https://h/\0{port}"s},
    {"not_ascii", kId, "https://h/\xc3\xa4/{port}"},
};

class JobScriptValueTest : public ::testing::TestWithParam<ValueCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, JobScriptValueTest, ::testing::ValuesIn(kValueCases),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(JobScriptValueTest, IsChecked) {
  const auto& want = GetParam();
  const auto script = compose_job_script("#!/bin/bash\n", "", want.session, want.url);
  EXPECT_EQ(script.has_value(), want.good);
  if (!script) {
    EXPECT_EQ(script.error().code, Errc::kBadRequest);
  }
}

}  // namespace
}  // namespace hpc
