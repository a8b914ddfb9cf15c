#include "manager/session/slurm_launcher.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "manager/session/launch_spec.h"
#include "manager/session/sessions.h"
#include "tests/support/fake_logins.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

const std::string kId = "0123456789abcdef0123456789abcdef";

SessionRow session_of(const std::string& spec = "") {
  SessionRow row;
  row.id = kId;
  row.key = {"alice", "main", "plain", 2};
  row.spec = spec;
  return row;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// What alice's login node is asked, by kind, and what it answers.
struct FakeNode {
  std::string kind_of(const FakeCommand& asked) const {
    if (has(asked.command, "--parsable")) return "sbatch";
    if (has(asked.input, "hpc_manager_account")) return "account";
    if (has(asked.input, "scancel")) return "end";
    if (has(asked.input, "TimeLimit")) return "extend";
    return has(asked.input, "job.log") ? "log" : "find";
  }
  Result<ExecOutput> answer(const FakeCommand& asked) {
    const auto kind = kind_of(asked);
    kinds.push_back(kind);
    last = asked;
    if (on_ask) on_ask(kind);
    if (kind == "account" && !account_fails) return marked(asked.marker(), account);
    if (kind == "account") return fail(Errc::kTimeout, "ssh.exec", "too slow");
    if (!works) return tl::unexpected(works.error());
    const auto at = asked.command.find("hpc-manager ");
    return marked(kind == "sbatch" ? asked.command.substr(at + 12, 64) : asked.marker(), says);
  }
  /// '@' is the marker and a blank.
  static ExecOutput marked(const std::string& marker, const std::string& text) {
    std::string out;
    for (const char c : "\n@begin\n" + text + "\n@end\n")
      out += c == '@' ? marker + " " : std::string(1, c);
    return {out, "", 0};
  }

  std::string says = "4711\n@status 0\n";
  std::string account = "status 0\n=demo";
  Status works;
  bool account_fails = false;
  std::function<void(const std::string&)> on_ask;
  std::vector<std::string> kinds;
  FakeCommand last;
};

using Kinds = std::vector<std::string>;

struct SlurmLauncherTest : ::testing::Test {
  SlurmLauncherTest() {
    place.site.run = [this](const FakeCommand& asked) { return node.answer(asked); };
  }
  template <class T>
  std::function<void(T)> into(std::optional<T>& answer) {
    return [this, &answer](T result) {
      EXPECT_FALSE(answer) << "once";
      answer = std::move(result);
      if (action) action();
    };
  }
  Result<std::string> submit(const SessionRow& row = session_of()) {
    std::optional<Result<std::string>> answer;
    pending = launcher.submit(row, into(answer));
    EXPECT_FALSE(answer) << "in a later turn";
    scheduler.run();
    return answer.value_or(fail(Errc::kSystem, "test", "no answer"));
  }
  Result<std::optional<std::string>> find() {
    std::optional<Result<std::optional<std::string>>> answer;
    pending = launcher.find(session_of(), into(answer));
    scheduler.run();
    return answer.value_or(fail(Errc::kSystem, "test", "no answer"));
  }
  Status end(const std::string& job) {
    auto row = session_of();
    row.job_id = job;
    std::optional<Status> answer;
    pending = launcher.end(row, into(answer));
    scheduler.run();
    return answer.value_or(fail(Errc::kSystem, "test", "no answer"));
  }
  Status extend(const std::string& job, std::uint64_t minutes) {
    auto row = session_of();
    row.job_id = job;
    std::optional<Status> answer;
    pending = launcher.extend(row, minutes, into(answer));
    EXPECT_FALSE(answer) << "in a later turn";
    scheduler.run();
    return answer.value_or(fail(Errc::kSystem, "test", "no answer"));
  }
  Result<JobLogPart> read_log(std::uint64_t offset) {
    std::optional<Result<JobLogPart>> answer;
    pending = launcher.read_log(session_of(), offset, into(answer));
    scheduler.run();
    return answer.value_or(fail(Errc::kSystem, "test", "no answer"));
  }

  ManualScheduler scheduler;
  FakeLogins logins{scheduler};
  FakeLogins::Place& place = logins.at("alice", "main");
  FakeNode node;
  SlurmLauncher launcher{
      scheduler, logins, {*JobTemplates::load(std::nullopt), "https://hpc.example.org"}};
  std::unique_ptr<Pending> pending;
  std::function<void()> action;  // called from inside each answer
};

TEST_F(SlurmLauncherTest, SubmitsTheTemplateAsTheUser) {
  const auto job = submit();
  ASSERT_TRUE(job) << describe(job.error());
  EXPECT_EQ(*job, "4711");
  EXPECT_EQ(node.kinds, (Kinds{"account", "sbatch"}));
  EXPECT_TRUE(has(node.last.command, " --job-name=hpc-plain-0123456789abcdef"))
      << node.last.command;
  EXPECT_TRUE(has(node.last.input, "https://hpc.example.org/user/alice/main/plain~2/port/{port}/"));
  EXPECT_TRUE(has(node.last.input, kId));
  EXPECT_EQ(node.last.input.substr(0, 2), "#!") << "the script is on stdin as it is";
  EXPECT_EQ(node.last.timeout_ms, kSubmitTimeoutMs);
}

TEST_F(SlurmLauncherTest, AsksForWhatTheUserAskedFor) {
  LaunchSpec spec;
  spec.job.cpus = 4;
  spec.job.memory = "4G";
  spec.job.partition = "main";
  spec.job.account = "physics";
  ASSERT_TRUE(submit(session_of(launch_spec_json(spec))));
  for (const char* part : {"--cpus-per-task=4", "--mem=4G", "--partition=main", "physics"}) {
    EXPECT_TRUE(has(node.last.command, part)) << part << " in " << node.last.command;
  }
  EXPECT_EQ(node.kinds, Kinds{"sbatch"}) << "nobody need be asked for the account";
}

TEST_F(SlurmLauncherTest, TheDefaultAccountIsNamedWhereItIsKnown) {
  submit();
  EXPECT_TRUE(has(node.last.command, "--account=demo")) << node.last.command;
  submit();
  EXPECT_EQ(node.kinds, (Kinds{"account", "sbatch", "sbatch"})) << "it is remembered";
  scheduler.advance(kAccountKnownMs);
  for (const char* unknown : {"status 1\n=", "status 0\n=", "status 0\n=a b"}) {
    scheduler.advance(kAccountKnownMs);
    node.account = unknown;
    EXPECT_TRUE(submit());
    EXPECT_FALSE(has(node.last.command, "--account")) << unknown;
  }
  scheduler.advance(kAccountKnownMs);
  node.account_fails = true;
  EXPECT_TRUE(submit()) << "it is no reason not to submit";
  EXPECT_FALSE(has(node.last.command, "--account"));
}

TEST_F(SlurmLauncherTest, EachUserHasAnAccountOfHisOwn) {
  submit();
  auto row = session_of();
  row.key.user = "bob";
  FakeNode bobs;
  bobs.account = "status 0\n=bobs";
  logins.at("bob", "main").site.run = [&](const FakeCommand& asked) { return bobs.answer(asked); };
  submit(row);
  EXPECT_TRUE(has(bobs.last.command, "--account=bobs")) << bobs.last.command;
}

struct SubmitCase {
  const char* name;
  const char* says;
  Errc code;
  const char* detail;
};
void PrintTo(const SubmitCase& c, std::ostream* os) { *os << c.name; }

// kBadRequest and kNotFound are final; after kUnavailable it may be submitted again once it was not
// found; after all else only once no sbatch can run any more.
constexpr SubmitCase kSubmitCases[] = {
    {"refused", "\n@status 1\nsbatch: error: invalid partition specified: x\n", Errc::kBadRequest,
     "SLURM refused the job: invalid partition specified: x"},
    {"no_slurm", "\n@status 127\nsh: sbatch: not found\n", Errc::kNotFound,
     "there is no sbatch on main, so the session attaches to an hpc-proxy that runs already"},
    {"controller_away",
     "\n@status 1\nsbatch: error: Batch job submission failed: Unable to contact slurm controller "
     "(connect failure)\n",
     Errc::kUnavailable, "SLURM could not take the job: "},
    {"ended_on_the_node", "\n@status 124\n", Errc::kUnavailable, "SLURM could not take the job: "},
    {"cut", "4711\n", Errc::kSlurm, "sbatch has given no answer; looking whether the job is there"},
    {"no_id", "submitted!\n@status 0\n", Errc::kSlurm, "sbatch did not say which job it started"},
};

struct SlurmLauncherSubmitTest : SlurmLauncherTest, ::testing::WithParamInterface<SubmitCase> {};

TEST_P(SlurmLauncherSubmitTest, SaysWhy) {
  node.says = GetParam().says;
  const auto job = submit();
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().code, GetParam().code);
  EXPECT_EQ(job.error().detail.substr(0, std::string_view(GetParam().detail).size()),
            GetParam().detail);
}

INSTANTIATE_TEST_SUITE_P(Cases, SlurmLauncherSubmitTest, ::testing::ValuesIn(kSubmitCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_F(SlurmLauncherTest, WhatARefusedJobWasGivenIsRemoved) {
  node.says = "\n@status 1\nsbatch: error: Invalid partition name specified\n";
  EXPECT_EQ(submit().error().code, Errc::kBadRequest);
  EXPECT_EQ(node.kinds, (Kinds{"account", "sbatch", "end"}));
  EXPECT_TRUE(has(node.last.input, "\njob=\nname=hpc-plain-0123456789abcdef\nsession=" + kId));
  node.says = "\n@status 1\nsbatch: error: Batch job submission failed: Socket timed out\n";
  EXPECT_EQ(submit().error().code, Errc::kUnavailable);
  EXPECT_EQ(node.kinds.back(), "sbatch") << "there may be a job, which needs its directory";
}

TEST_F(SlurmLauncherTest, ARefusalIsToldAlsoWhereNothingCanBeRemoved) {
  node.says = "\n@status 1\nsbatch: error: Invalid partition name specified\n";
  node.on_ask = [this](const std::string& kind) {
    if (kind == "end") node.works = fail(Errc::kNetwork, "ssh.exec", "lost");
  };
  const auto job = submit();
  EXPECT_EQ(job.error().code, Errc::kBadRequest);
  EXPECT_EQ(job.error().detail, "SLURM refused the job: Invalid partition name specified");
}

TEST_F(SlurmLauncherTest, WhatMayHaveRunIsToldApartFromWhatHasNot) {
  for (const auto code : {Errc::kTimeout, Errc::kNetwork, Errc::kSsh, Errc::kTooLarge}) {
    node.works = fail(code, "ssh.exec", "lost");
    EXPECT_EQ(submit().error().code, code);
  }
  for (const auto code : {Errc::kForbidden, Errc::kUnavailable}) {
    node.works = fail(code, "ssh.exec", "not run");
    EXPECT_EQ(submit().error().code, Errc::kUnavailable);
  }
  logins.refuse = fail(Errc::kConfig, "login", "no key");
  EXPECT_EQ(submit().error().code, Errc::kUnavailable) << "somebody may put it there";
  EXPECT_EQ(submit().error().detail, "no key");
  logins.refuse = fail(Errc::kNotFound, "login", "no such cluster");
  EXPECT_EQ(submit().error().code, Errc::kNotFound);
}

TEST_F(SlurmLauncherTest, AConnectionThatDiesUnderSbatchIsNoRefusal) {
  node.account_fails = true;
  node.on_ask = [this](const std::string& kind) { place.site.silent = kind == "account"; };
  std::optional<Result<std::string>> answer;
  pending = launcher.submit(session_of(), into(answer));
  scheduler.run();
  ASSERT_EQ(place.site.execs, 2) << "sbatch runs";
  place.connector.current->die("cut");
  scheduler.run();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error().code, Errc::kNetwork);
}

TEST_F(SlurmLauncherTest, WhatCannotBeLaunched) {
  EXPECT_TRUE(launcher.can_launch("plain"));
  const auto cannot = launcher.can_launch("emacs");
  ASSERT_FALSE(cannot);
  EXPECT_EQ(cannot.error().code, Errc::kNotFound);
  EXPECT_EQ(
      cannot.error().detail,
      "there is no job template 'emacs'; there are: jupyter, plain, rstudio, vscode. To use an "
      "hpc-proxy that runs already, ask for \"attach\"");
  auto row = session_of();
  row.key.ide = "emacs";
  EXPECT_EQ(submit(row).error().code, Errc::kNotFound);
  EXPECT_EQ(submit(session_of("{\"cpus\":\"$(id)\"}")).error().code, Errc::kBadRequest);
  row = session_of();
  row.id = "$(id)";
  EXPECT_EQ(submit(row).error().code, Errc::kBadRequest);
  EXPECT_EQ(place.site.execs, 0) << "nobody is asked";
}

TEST_F(SlurmLauncherTest, AReloadHoldsForTheNextSubmit) {
  launcher.set_options({*JobTemplates::load(std::nullopt), "https://new.example.org"});
  submit();
  EXPECT_TRUE(has(node.last.input, "https://new.example.org/user/alice/main/plain~2/port/"));
}

TEST_F(SlurmLauncherTest, FindsWhatWasSubmittedByItsName) {
  node.says = "@job 4711\n\n@job 4712\n\n@squeue 0";
  auto found = find();
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, "4712");
  EXPECT_TRUE(has(node.last.input, "hpc-plain-0123456789abcdef"));
  EXPECT_EQ(node.kinds, Kinds{"find"}) << "and submits nothing";
  node.says = "@squeue 0";
  found = find();
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
  for (const char* unknown : {"", "@squeue 1", "@submitting\n\n@squeue 0"}) {
    node.says = unknown;
    EXPECT_EQ(find().error().code, Errc::kUnavailable) << unknown;
  }
  node.works = fail(Errc::kTimeout, "ssh.exec", "too slow");
  EXPECT_EQ(find().error().code, Errc::kTimeout);
}

TEST_F(SlurmLauncherTest, EndsTheSessionsOwnJob) {
  node.says = "@result over";
  EXPECT_TRUE(end("4711"));
  EXPECT_TRUE(has(node.last.input, "job=4711\n")) << node.last.input.substr(0, 300);
  EXPECT_TRUE(has(node.last.input, "name=hpc-plain-0123456789abcdef\n"));
  EXPECT_TRUE(has(node.last.input, "session=" + kId + "\n"));
  EXPECT_EQ(node.last.timeout_ms, kEndJobTimeoutMs);
  for (const char* none : {"", "c1-77", "1; id"}) {
    EXPECT_TRUE(end(none));
    EXPECT_TRUE(has(node.last.input, "job=\n")) << "by its name alone";
  }
  node.says = "@result ends COMPLETING";
  EXPECT_EQ(end("4711").error().code, Errc::kUnavailable);
  EXPECT_EQ(end("4711").error().detail, "the job still ends (COMPLETING)");
  node.says = "";
  EXPECT_EQ(end("4711").error().code, Errc::kUnavailable);
  node.works = fail(Errc::kTimeout, "ssh.exec", "too slow");
  EXPECT_EQ(end("4711").error().detail, "too slow");
}

TEST_F(SlurmLauncherTest, GivesMoreTimeWhereTheSiteAllowsIt) {
  node.says = "@status 0";
  EXPECT_TRUE(extend("4711", 1));
  EXPECT_TRUE(has(node.last.input, "minutes=1\n"));
  EXPECT_TRUE(extend("4711", kExtendMinutesMax));
  node.says = "Access/permission denied\n\n@status 1";
  const auto refused = extend("4711", 30);
  EXPECT_EQ(refused.error().code, Errc::kForbidden);
  EXPECT_EQ(refused.error().detail, "Access/permission denied");
  node.works = fail(Errc::kTimeout, "ssh.exec", "too slow");
  EXPECT_EQ(extend("4711", 30).error().code, Errc::kTimeout);
  const auto asked = place.site.execs;
  EXPECT_EQ(extend("", 30).error().code, Errc::kConflict);
  EXPECT_EQ(extend("4711", 0).error().code, Errc::kBadRequest);
  EXPECT_EQ(extend("4711", kExtendMinutesMax + 1).error().code, Errc::kBadRequest);
  EXPECT_EQ(place.site.execs, asked);
}

TEST_F(SlurmLauncherTest, ReadsTheLog) {
  node.says = "@log 7 12\nhello";
  const auto part = read_log(7);
  ASSERT_TRUE(part) << describe(part.error());
  EXPECT_EQ(part->offset, 7U);
  EXPECT_EQ(part->size, 12U);
  EXPECT_EQ(part->bytes, "hello");
  EXPECT_TRUE(has(node.last.input, "from=7\n"));
  read_log(kJobLogTail);
  EXPECT_TRUE(has(node.last.input, "from=tail\n"));
  node.says = "@none";
  EXPECT_EQ(read_log(0).error().code, Errc::kNotFound);
  node.works = fail(Errc::kTimeout, "ssh.exec", "too slow");
  EXPECT_EQ(read_log(0).error().code, Errc::kTimeout);
}

TEST_F(SlurmLauncherTest, ASubmitThatIsGivenUpSaysNothing) {
  for (int turns = 0; turns < 8; ++turns) {
    int told = 0;
    auto given_up = launcher.submit(session_of(), [&](const auto&) { ++told; });
    for (int i = 0; i < turns; ++i) scheduler.run_one();
    const int before = told;
    given_up.reset();
    scheduler.advance(kAccountKnownMs);
    EXPECT_EQ(told, before) << turns;
  }
}

TEST_F(SlurmLauncherTest, WhoWaitsMayLetGoInsideTheAnswer) {
  action = [this] { pending.reset(); };
  EXPECT_TRUE(submit());
  EXPECT_TRUE(submit());
  EXPECT_FALSE(submit(session_of("{")));
  node.says = "@squeue 0";
  EXPECT_TRUE(find());
  node.says = "@result over";
  EXPECT_TRUE(end("4711"));
  EXPECT_FALSE(extend("", 3));
  EXPECT_FALSE(read_log(0));
}

}  // namespace
}  // namespace hpc
