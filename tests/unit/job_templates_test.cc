#include "manager/session/job_templates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const JobTemplates::Values kValues = {"plain", "0123456789abcdef0123456789abcdef",
                                      "https://hpc.example.org/user/alice/main/plain/port/{port}/"};

struct Ran {
  int status;
  std::string output;
};

Ran run(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1 </dev/null").c_str(), "r");
  std::string output;
  for (int c = 0; (c = fgetc(pipe)) != EOF;) output += static_cast<char>(c);
  return {pclose(pipe), output};
}

class JobTemplatesTest : public TempDirFixture {
 protected:
  void put_template(const std::string& name, const std::string& content, mode_t mode = 0644) {
    put(dir + "/" + name, content);
    chmod((dir + "/" + name).c_str(), mode);
  }
  // "" when it loads.
  std::string problem() {
    const auto loaded = JobTemplates::load(dir);
    if (loaded) return "";
    EXPECT_EQ(loaded.error().code, Errc::kConfig);
    return loaded.error().detail;
  }
  std::string script(const std::string& ide) {
    auto values = kValues;
    values.ide = ide;
    const auto made = JobTemplates::load(dir)->script(values);
    return made ? *made : describe(made.error());
  }
};

TEST_F(JobTemplatesTest, BuiltInOnesAreThere) {
  const auto loaded = JobTemplates::load(std::nullopt);
  ASSERT_TRUE(loaded);
  EXPECT_THAT(loaded->names(), ElementsAre("jupyter", "plain", "rstudio", "vscode"));
  EXPECT_TRUE(loaded->has("plain"));
  EXPECT_FALSE(loaded->has("hpc-proxy.sh"));
  EXPECT_FALSE(loaded->has("plain.sbatch"));
}

// The text in the program is the text in the tree, byte for byte.
TEST_F(JobTemplatesTest, BuiltInTextIsThatOfTheFile) {
  const std::string scripts = std::string(HPC_SOURCE_DIR) + "/slurm-scripts/";
  const auto plain = text(scripts + "plain.sbatch");
  const auto made = *JobTemplates::load(std::nullopt)->script(kValues);
  EXPECT_EQ(made.substr(made.size() - 100), plain.substr(plain.size() - 100));
  EXPECT_THAT(made, HasSubstr("\n" + text(scripts + "hpc-proxy.sh") + "HPC_PROXY_SH_ENDS_HERE\n"));
}

TEST_F(JobTemplatesTest, EveryScriptIsWhatBashTakes) {
  const auto loaded = *JobTemplates::load(std::nullopt);
  for (const auto& ide : loaded.names()) {
    auto values = kValues;
    values.ide = ide;
    put(dir + "/script", *loaded.script(values));
    const auto checked = run("bash -n " + dir + "/script");
    EXPECT_EQ(checked.status, 0) << ide << ": " << checked.output;
    if (run("command -v shellcheck").status != 0) continue;
    // hpc-proxy.sh is not there to be followed: what it reads seems unused, what it sets unknown.
    const auto linted = run("shellcheck -s bash -e SC1090,SC1091,SC2034,SC2154 " + dir + "/script");
    EXPECT_EQ(linted.status, 0) << ide << ": " << linted.output;
  }
}

TEST_F(JobTemplatesTest, UnknownOneIsToldWithThoseThatThereAre) {
  auto values = kValues;
  values.ide = "emacs";
  const auto made = JobTemplates::load(std::nullopt)->script(values);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kNotFound);
  EXPECT_THAT(made.error().detail, AllOf(HasSubstr("'emacs'"), HasSubstr("plain, ")));
}

TEST_F(JobTemplatesTest, BadValueIsRefused) {
  auto values = kValues;
  values.session = "'; id";
  const auto made = JobTemplates::load(std::nullopt)->script(values);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kBadRequest);
}

TEST_F(JobTemplatesTest, OperatorsDirectoryAddsAndReplaces) {
  put_template("matlab.sbatch", "#!/bin/bash\necho matlab\n");
  put_template("plain.sbatch", "#!/bin/bash\necho ours\n");
  EXPECT_EQ(problem(), "");
  EXPECT_THAT(JobTemplates::load(dir)->names(), Contains("matlab"));
  EXPECT_THAT(JobTemplates::load(dir)->names(), Contains("vscode"));
  EXPECT_THAT(script("matlab"),
              AllOf(HasSubstr("\necho matlab\n"), HasSubstr("hpc-proxy --daemon")));
  EXPECT_THAT(script("plain"), HasSubstr("\necho ours\n"));
}

TEST_F(JobTemplatesTest, OperatorsSharedScriptReplacesOurs) {
  put_template("hpc-proxy.sh", "module load hpc-proxy\n");
  EXPECT_EQ(problem(), "");
  EXPECT_THAT(script("plain"), AllOf(HasSubstr("\nmodule load hpc-proxy\nHPC_PROXY_SH_ENDS_HERE\n"),
                                     Not(HasSubstr("hpc-proxy --daemon"))));
}

TEST_F(JobTemplatesTest, OtherFilesAreNotLookedAt) {
  for (const auto* name : {"README.md", "x.sbatch.bak", ".hidden.sbatch", ".sbatch", "Makefile"}) {
    put_template(name, "no script", 0666);
  }
  EXPECT_EQ(problem(), "");
  EXPECT_THAT(JobTemplates::load(dir)->names(),
              ElementsAre("jupyter", "plain", "rstudio", "vscode"));
}

TEST_F(JobTemplatesTest, FaultNamesTheFile) {
  put_template("bad.sbatch", "echo 1\n");
  EXPECT_THAT(problem(), AllOf(HasSubstr(dir + "/bad.sbatch"), HasSubstr("#!/bin/bash")));
}

TEST_F(JobTemplatesTest, FaultInTheSharedScript) {
  put_template("hpc-proxy.sh", "HPC_PROXY_SH_ENDS_HERE\n");
  EXPECT_THAT(problem(), AllOf(HasSubstr(dir + "/hpc-proxy.sh"), HasSubstr("hpc-manager's own")));
}

TEST_F(JobTemplatesTest, NameThatIsNoSessionName) {
  put_template("VSCode.sbatch", "#!/bin/bash\n");
  EXPECT_THAT(problem(), AllOf(HasSubstr("/VSCode.sbatch"), HasSubstr("lower-case")));
}

TEST_F(JobTemplatesTest, WritableForOthers) {
  put_template("a.sbatch", "#!/bin/bash\n", 0664);
  EXPECT_EQ(problem(), "");
  put_template("a.sbatch", "#!/bin/bash\n", 0646);
  EXPECT_THAT(problem(), AllOf(HasSubstr("/a.sbatch"), HasSubstr("chmod o-w")));
}

TEST_F(JobTemplatesTest, DirectoryWritableForOthers) {
  chmod(dir.c_str(), 0757);
  EXPECT_THAT(problem(), AllOf(HasSubstr(dir + " is writable")));
}

TEST_F(JobTemplatesTest, NoDirectory) {
  const auto loaded = JobTemplates::load(dir + "/none");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(describe(loaded.error()),
            "--templates: " + dir + "/none cannot be read: No such file or directory");
}

TEST_F(JobTemplatesTest, NotAFile) {
  mkdir((dir + "/a.sbatch").c_str(), 0755);
  EXPECT_THAT(problem(), HasSubstr("/a.sbatch is not a file"));
}

TEST_F(JobTemplatesTest, PipeDoesNotKeepItWaiting) {
  ASSERT_EQ(mkfifo((dir + "/a.sbatch").c_str(), 0644), 0);
  EXPECT_THAT(problem(), HasSubstr("/a.sbatch is not a file"));
}

TEST_F(JobTemplatesTest, DeadLink) {
  ASSERT_EQ(symlink("/nowhere", (dir + "/a.sbatch").c_str()), 0);
  EXPECT_THAT(problem(), HasSubstr("/a.sbatch cannot be read: No such file"));
}

TEST_F(JobTemplatesTest, SizeAtTheBoundAndPastIt) {
  const std::string head = "#!/bin/bash\n#";
  put_template("a.sbatch", head + std::string(kTemplateBytesMax - head.size(), 'x'));
  EXPECT_EQ(problem(), "");
  put_template("a.sbatch", head + std::string(kTemplateBytesMax - head.size() + 1, 'x'));
  EXPECT_THAT(problem(), HasSubstr("/a.sbatch is larger than 64 KiB"));
}

TEST_F(JobTemplatesTest, NumberAtTheBoundAndPastIt) {
  const auto built_in = JobTemplates::load(std::nullopt)->names().size();
  std::size_t number = built_in;
  while (number < kTemplatesMax) {
    put_template("t" + std::to_string(number++) + ".sbatch", "#!/bin/bash\n");
  }
  EXPECT_EQ(problem(), "");
  put_template("one-more.sbatch", "#!/bin/bash\n");
  EXPECT_THAT(problem(), HasSubstr("too many templates"));
}

// What the lines in front of the template really do.
class JobPreambleTest : public JobTemplatesTest {
 protected:
  Ran run_script(const std::string& body) {
    put_template("t.sbatch", body);
    put(dir + "/script", script("t"));
    return run("env -i PATH=\"$PATH\" HOME='" + dir + "' sh -c 'umask 002; exec bash " + dir +
               "/script'");
  }
  std::string session() const { return dir + "/.hpc-proxy/sessions/" + kValues.session; }
};

TEST_F(JobPreambleTest, SetsVariablesAndMakesAPrivateDirectory) {
  const auto ran = run_script(
      "#!/bin/bash\numask; echo \"$HPC_SESSION_ID|$HPC_SESSION_DIR|$HPC_PROXY_SCRIPTS|"
      "$HPC_PROXY_URL_TEMPLATE\"\n");
  EXPECT_EQ(ran.output, "0002\n" + kValues.session + "|" + session() + "|" + session() + "|" +
                            kValues.url_template + "\n");
  EXPECT_EQ(mode(dir + "/.hpc-proxy"), 0700);
  EXPECT_EQ(mode(dir + "/.hpc-proxy/sessions"), 0700);
  EXPECT_EQ(mode(session()), 0700);
  EXPECT_EQ(mode(session() + "/hpc-proxy.sh"), 0600);
  EXPECT_EQ(text(session() + "/hpc-proxy.sh"),
            text(std::string(HPC_SOURCE_DIR) + "/slurm-scripts/hpc-proxy.sh"));
}

TEST_F(JobPreambleTest, TightensADirectoryThatIsThere) {
  std::filesystem::create_directories(session());
  chmod(session().c_str(), 0755);
  run_script("#!/bin/bash\n");
  EXPECT_EQ(mode(session()), 0700);
}

TEST_F(JobPreambleTest, StopsWhereItCannotWrite) {
  put(dir + "/.hpc-proxy", "a file");
  const auto ran = run_script("#!/bin/bash\necho went on\n");
  EXPECT_NE(ran.status, 0);
  EXPECT_THAT(ran.output, AllOf(HasSubstr("hpc-manager: " + session() + " cannot be made"),
                                Not(HasSubstr("went on"))));
}

TEST_F(JobPreambleTest, TemplateWithTheDelimiterDoesNotBreakOut) {
  const auto ran = run_script(
      "#!/bin/bash\n#HPC_PROXY_SH_ENDS_HERE\ncat <<'HPC_PROXY_SH_ENDS_HERE'\ntext\n"
      "HPC_PROXY_SH_ENDS_HERE\n");
  EXPECT_EQ(ran.output, "text\n");
}

}  // namespace
}  // namespace hpc
