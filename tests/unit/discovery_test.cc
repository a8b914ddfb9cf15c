#include "manager/session/discovery.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace hpc {
namespace {

const std::string kMarker(64, 'a');

std::string framed(const std::string& body) {
  return "\n" + kMarker + " begin\n" + body + kMarker + " end\n";
}

DiscoveryReport parsed(const std::string& output) {
  auto report = parse_discovery_report(output, kMarker);
  EXPECT_TRUE(report.has_value()) << (report ? "" : report.error().detail);
  return report ? *report : DiscoveryReport{};
}

struct RecordSpec {
  std::string host = "c1";
  std::string node = "c1";  // "" null
  std::string job_id = "4711";
  std::string started_at = "2026-11-21T07:00:00Z";
  std::string addresses = R"("10.77.0.21")";
  int port = 45678;
  int uid = 1000;
  bool run = false;
  bool inside = false;
};

std::string record_text(const RecordSpec& spec = {}) {
  return R"({"version":1,"host":")" + spec.host + R"(","slurm_node":)" +
         (spec.node.empty() ? std::string("null") : "\"" + spec.node + "\"") + R"(,"addresses":[)" +
         spec.addresses + R"(],"port":)" + std::to_string(spec.port) + R"(,"pid":77,"uid":)" +
         std::to_string(spec.uid) + R"(,"token":")" + std::string(64, '5') + R"(","job_id":")" +
         spec.job_id + R"(","app":null,"started_at":")" + spec.started_at +
         R"(","job_end":null,"program_version":"0.1.0")" +
         (spec.run ? R"(,"private":{"mode":"netns","addresses":[]})" : "") +
         (spec.inside ? R"(,"inside_run":"4711-c1-1"})" : "}");
}

// A login node with SLURM on which job 4711 of uid 1000 runs on c1.
DiscoveryReport site() {
  DiscoveryReport report;
  report.host = "login01";
  report.uid = 1000;
  report.slurm = SlurmAnswer::kAnswered;
  report.jobs = {{"4711", "c1", "4711"}};
  report.has_directory = true;
  return report;
}

DiscoveryReport site_with(const RecordSpec& spec, const std::string& file = "4711.json") {
  auto report = site();
  report.records.push_back({file, record_text(spec)});
  return report;
}

std::string only_refusal(const DiscoveryReport& report,
                         const std::optional<std::string>& job = std::nullopt) {
  const auto candidates = choose_candidates(report, job);
  EXPECT_TRUE(candidates.accepted.empty());
  EXPECT_EQ(candidates.refused.size(), report.records.size());
  return candidates.refused.empty() ? "" : candidates.refused.front().reason;
}

TEST(DiscoveryReportTest, ReadsEverything) {
  const auto report =
      parsed("Welcome!\nhost nonsense\n" +
             framed("host login01\nuid 1000\nsqueue 0\n=4711 c1 4711\n"
                    "=4712_3 c[1-2] 4715 hpc1  \x1b c1:5 \n=\ndirectory yes\nrecord 4711.json\n"
                    "|{\"a\":1,\n|\"b\":2}\n\n") +
             "bye\n");
  EXPECT_EQ(report.host, "login01");
  EXPECT_EQ(report.uid, 1000U);
  EXPECT_EQ(report.slurm, SlurmAnswer::kAnswered);
  ASSERT_EQ(report.jobs.size(), 2U);
  EXPECT_EQ(report.jobs[1].id, "4712_3");
  EXPECT_EQ(report.jobs[1].nodes, "c[1-2]");
  EXPECT_EQ(report.jobs[1].raw_id, "4715");
  EXPECT_EQ(report.jobs[1].comment, "hpc1  ? c1:5 ");
  EXPECT_EQ(report.jobs[0].comment, "");
  EXPECT_TRUE(report.has_directory);
  ASSERT_EQ(report.records.size(), 1U);
  EXPECT_EQ(report.records[0].name, "4711.json");
  EXPECT_EQ(report.records[0].text, "{\"a\":1,\n\"b\":2}");
}

TEST(DiscoveryReportTest, ARecordCannotForgeOurLines) {
  const auto report =
      parsed(framed("host login01\nuid 1000\nsqueue none\ndirectory yes\n"
                    "record a.json\n|uid 0\n|" +
                    kMarker + " end\n|host evil\n"));
  EXPECT_EQ(report.host, "login01");
  EXPECT_EQ(report.uid, 1000U);
}

TEST(DiscoveryReportTest, FailedSqueueIsNotNoJobs) {
  const auto report = parsed(
      framed("host login01\nuid 1000\nsqueue 1\n=slurm_load_jobs error: down\ndirectory no\n"));
  EXPECT_EQ(report.slurm, SlurmAnswer::kFailed);
  EXPECT_EQ(report.slurm_error, "slurm_load_jobs error: down");
  EXPECT_TRUE(report.jobs.empty());
}

TEST(DiscoveryReportTest, MissingMarkersAreNamed) {
  EXPECT_EQ(parse_discovery_report("", kMarker).error().code, Errc::kSsh);
  EXPECT_EQ(parse_discovery_report("This account is not available.\n", kMarker).error().code,
            Errc::kSsh);
  const std::string whole = framed("host login01\nuid 1000\n");
  const auto cut = parse_discovery_report(whole.substr(0, whole.size() - 10), kMarker);
  EXPECT_NE(cut.error().detail.find("cut short"), std::string::npos);
  const std::string other(64, 'b');
  EXPECT_FALSE(parse_discovery_report(whole, other).has_value());
}

TEST(DiscoveryReportTest, HostAndUidAreNeeded) {
  for (const char* body :
       {"", "host login01\n", "uid 1000\n", "host login01\nuid \n", "host login01\nuid 10x\n",
        "host login01\nuid -1\n", "host login01\nuid 99999999999\n"}) {
    const auto report = parse_discovery_report(framed(body), kMarker);
    ASSERT_FALSE(report.has_value()) << body;
    EXPECT_EQ(report.error().code, Errc::kBadRequest);
  }
}

TEST(DiscoveryReportTest, EveryCutOfItIsRefusedOrWhole) {
  const std::string whole = "noise" + framed(
                                          "host h\nuid 1\nsqueue 0\n=1 c1 1\ndirectory yes\n"
                                          "record 1.json\n|{\xc3\n");
  for (std::size_t cut = 0; cut < whole.size() - 1; ++cut) {
    EXPECT_FALSE(parse_discovery_report(whole.substr(0, cut), kMarker).has_value()) << cut;
  }
  EXPECT_TRUE(parse_discovery_report(whole, kMarker).has_value());
}

TEST(DiscoveryReportTest, EverythingIsBounded) {
  std::string body = "host h\nuid 1\nsqueue 0\n";
  for (std::size_t i = 0; i < kRunningJobsMax + 1; ++i) body += "=1 c1 1\n";
  for (std::size_t i = 0; i < kRecordsMax + 1; ++i) {
    body += "record r.json\n|" + std::string(2 * kJobRecordBytesMax, 'x') + "\n";
  }
  const auto report = parsed(framed(body));
  EXPECT_EQ(report.jobs.size(), kRunningJobsMax);
  EXPECT_EQ(report.records.size(), kRecordsMax);
  EXPECT_EQ(report.records[0].text.size(), kJobRecordBytesMax + 1);
}

TEST(CandidatesTest, RunningJobOnItsNodeIsAccepted) {
  const auto candidates = choose_candidates(site_with({}), std::nullopt);
  ASSERT_EQ(candidates.accepted.size(), 1U);
  EXPECT_EQ(candidates.accepted[0].record.port, 45678);
  EXPECT_EQ(candidates.accepted[0].addresses, (std::vector<std::string>{"c1", "10.77.0.21"}));
}

TEST(CandidatesTest, NodeListsAreUnderstood) {
  auto report = site_with({});
  report.jobs = {{"4711", "c[1-4]", "4711"}};
  EXPECT_EQ(choose_candidates(report, std::nullopt).accepted.size(), 1U);
}

TEST(CandidatesTest, ArrayTaskIsFoundByItsRawId) {
  RecordSpec spec;
  spec.job_id = "4715";
  auto report = site_with(spec, "4715.json");
  report.jobs = {{"4711_3", "c1", "4715"}};
  EXPECT_EQ(choose_candidates(report, std::nullopt).accepted.size(), 1U);
}

TEST(CandidatesTest, StaleRecordsAreRefusedWithTheReason) {
  auto gone = site_with({});
  gone.jobs.clear();
  EXPECT_EQ(only_refusal(gone), "job 4711 is not running");
  auto requeued = site_with({});
  requeued.jobs = {{"4711", "c2", "4711"}};
  EXPECT_EQ(only_refusal(requeued), "job 4711 runs on c2 now, this record is of c1");
}

TEST(CandidatesTest, UnknownIsNotGone) {
  auto report = site_with({});
  report.slurm = SlurmAnswer::kFailed;
  report.slurm_error = "controller down";
  EXPECT_EQ(only_refusal(report), "SLURM could not be asked about job 4711 (controller down)");
  report.slurm = SlurmAnswer::kAbsent;
  EXPECT_NE(only_refusal(report).find("has no squeue"), std::string::npos);
}

TEST(CandidatesTest, WithoutSlurmOnlyThisHostCounts) {
  RecordSpec here;
  here.host = "login01";
  here.node = "";
  here.job_id = "login01-77";
  const auto candidates = choose_candidates(site_with(here, "login01-77.json"), std::nullopt);
  ASSERT_EQ(candidates.accepted.size(), 1U);
  EXPECT_EQ(candidates.accepted[0].addresses, (std::vector<std::string>{"127.0.0.1"}));
  RecordSpec there = here;
  there.host = "login02";
  EXPECT_NE(only_refusal(site_with(there)).find("started outside SLURM on login02"),
            std::string::npos);
}

TEST(CandidatesTest, ForeignUidAndBadValuesAreRefused) {
  RecordSpec uid;
  uid.uid = 1001;
  EXPECT_NE(only_refusal(site_with(uid)).find("uid 1001"), std::string::npos);
  RecordSpec host;
  host.host = "c1 -oProxyCommand=x";
  EXPECT_NE(only_refusal(site_with(host)), "");
  RecordSpec port;
  port.port = 1023;
  EXPECT_NE(only_refusal(site_with(port)), "");
  port.port = 1024;
  EXPECT_EQ(choose_candidates(site_with(port), std::nullopt).accepted.size(), 1U);
}

TEST(CandidatesTest, GarbageIsRefusedWithoutItsBytes) {
  for (const std::string& text : {std::string(), std::string("{"), std::string("\xff\xfe"),
                                  std::string(4097, ' '), record_text() + "x", std::string("[]")}) {
    auto report = site();
    report.records.push_back({"4711.json", text});
    EXPECT_NE(only_refusal(report).find("its record is not valid"), std::string::npos) << text;
  }
}

TEST(CandidatesTest, AddressesThatLeadElsewhereAreLeftOut) {
  RecordSpec spec;
  spec.addresses = R"("127.0.0.1","::1","0.0.0.0","169.254.1.1","224.0.0.1","fe80::1",)"
                   R"("10.0.0.1","10.0.0.1","fd00::1","10.0.0.2","10.0.0.3")";
  const auto candidates = choose_candidates(site_with(spec), std::nullopt);
  ASSERT_EQ(candidates.accepted.size(), 1U);
  EXPECT_EQ(candidates.accepted[0].addresses,
            (std::vector<std::string>{"c1", "10.0.0.1", "fd00::1", "10.0.0.2"}));
}

struct OrderCase {
  const char* name;
  // Files without ".json", each with its job and the minute of its start, in any order.
  struct File {
    std::string file;
    std::string job;
    std::string minute;
    bool run = false;     // it says so inside
    bool inside = false;  // started by the command of a run
  };
  std::vector<File> files;
  std::vector<std::string> accepted;
  std::vector<std::string> refused;
  std::optional<std::string> job{};
};
void PrintTo(const OrderCase& c, std::ostream* os) { *os << c.name; }

const OrderCase kOrderCases[] = {
    {"run_alone", {{"4711-c1-1", "4711", "10"}}, {"4711-c1-1"}, {}},
    {"run_alone_by_job", {{"4711-c1-1", "4711", "10"}}, {"4711-c1-1"}, {}, "4711"},
    {"run_by_its_own_name",
     {{"4711", "4711", "10"}, {"4711-c1-1", "4711", "20"}},
     {"4711-c1-1"},
     {"4711"},
     "4711-c1-1"},
    {"plain_before_newer_run",
     {{"4711-c1-1", "4711", "20"}, {"4711", "4711", "10"}},
     {"4711", "4711-c1-1"},
     {}},
    {"plain_of_an_older_job_before_run",
     {{"4712-c1-1", "4712", "20"}, {"4711", "4711", "10"}},
     {"4711", "4712-c1-1"},
     {}},
    {"only_run_in_the_wanted_job",
     {{"4712-c1-1", "4712", "10"}, {"4711", "4711", "20"}},
     {"4712-c1-1"},
     {"4711"},
     "4712"},
    {"run_by_what_it_says",
     {{"4711", "4711", "20", true}, {"4712", "4712", "10"}},
     {"4712", "4711"},
     {}},
    {"run_before_what_was_started_in_it",
     {{"4711-c1-1", "4711", "10", true}, {"4711-c1-2", "4711", "20", true, true}},
     {"4711-c1-1", "4711-c1-2"},
     {}},
    {"run_before_a_plain_one_in_it",
     {{"4711-c1-1", "4711", "10", true}, {"4711", "4711", "20", false, true}},
     {"4711-c1-1", "4711"},
     {}},
    {"newest_run",
     {{"4711-c1-2", "4711", "10"}, {"4711-c1-1", "4711", "20"}},
     {"4711-c1-1", "4711-c1-2"},
     {}},
    {"newest_plain", {{"4711", "4711", "10"}, {"4712", "4712", "20"}}, {"4712", "4711"}, {}},
    {"at_most_five",
     {{"4711-c1-1", "4711", "50"},
      {"4711-c1-2", "4711", "51"},
      {"4711", "4711", "10"},
      {"4711-c1-3", "4711", "52"},
      {"4711-c1-4", "4711", "53"},
      {"4711-c1-5", "4711", "54"}},
     {"4711", "4711-c1-5", "4711-c1-4", "4711-c1-3", "4711-c1-2"},
     {"4711-c1-1"}},
};

struct OrderTest : ::testing::TestWithParam<OrderCase> {};
INSTANTIATE_TEST_SUITE_P(All, OrderTest, ::testing::ValuesIn(kOrderCases),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(OrderTest, PlainBeforeRunThenNewestAtMostFive) {
  auto report = site();
  report.jobs.push_back({"4712", "c1", "4712"});
  for (const auto& [file, job, minute, run, inside] : GetParam().files) {
    RecordSpec spec;
    spec.run = run;
    spec.inside = inside;
    spec.job_id = job;
    spec.started_at = "2026-11-21T07:" + minute + ":00Z";
    report.records.push_back({file + ".json", record_text(spec)});
  }
  const auto candidates = choose_candidates(report, GetParam().job);
  std::vector<std::string> accepted;
  for (const auto& candidate : candidates.accepted) accepted.push_back(candidate.name);
  EXPECT_EQ(accepted, GetParam().accepted);
  std::vector<std::string> refused;
  for (const auto& record : candidates.refused) refused.push_back(record.name);
  EXPECT_EQ(refused, GetParam().refused);
}

TEST(CandidatesTest, JobFilterTakesThatJobOnly) {
  auto report = site_with({});
  EXPECT_EQ(choose_candidates(report, "4711").accepted.size(), 1U);
  EXPECT_EQ(only_refusal(report, "4712"), "--job asks for 4712");
}

TEST(CandidatesTest, ExplanationHoldsReasonsAndTheNextStep) {
  auto report = site_with({});
  report.jobs.clear();
  const auto text = explain_no_candidate(report, choose_candidates(report, std::nullopt), {});
  EXPECT_NE(text.find("4711: job 4711 is not running"), std::string::npos) << text;
  EXPECT_NE(text.find("hpc-proxy --daemon"), std::string::npos) << text;
  EXPECT_NE(text.find("you have no running job"), std::string::npos) << text;
  EXPECT_EQ(text.find(std::string(64, '5')), std::string::npos) << "never the token";
}

struct UnseenCase {
  const char* name;
  std::string comment;
  const char* host;  // nullptr: it says nothing
  int port = 0;
  const char* nodes = "c[1-2]";
};
void PrintTo(const UnseenCase& c, std::ostream* os) { *os << c.name; }

const UnseenCase kUnseenCases[] = {
    {"published", "hpc1 c1:41234", "c1", 41234},
    {"long_name", "hpc1 c2.cluster.example.org:1024", "c2.cluster.example.org", 1024},
    {"highest_port", "hpc1 c1:65535", "c1", 65535},
    {"nothing", "", nullptr},
    {"none", "(null)", nullptr},
    {"text", "my job", nullptr},
    {"another_version", "hpc2 c1:41234", nullptr},
    {"no_port", "hpc1 c1", nullptr},
    {"empty_port", "hpc1 c1:", nullptr},
    {"low_port", "hpc1 c1:1023", nullptr},
    {"port_too_high", "hpc1 c1:65536", nullptr},
    {"sign", "hpc1 c1:+41234", nullptr},
    {"text_behind", "hpc1 c1:41234 and more", nullptr},
    {"no_host", "hpc1 :41234", nullptr},
    {"no_host_name", "hpc1 -oProxyCommand=x:41234", nullptr},
    {"two_words", "hpc1 c1 c2:41234", nullptr},
    {"another_node", "hpc1 c3:41234", nullptr},
    {"node_of_before_a_requeue", "hpc1 c1:41234", nullptr, 0, "c2"},
};

struct UnseenProxyTest : ::testing::TestWithParam<UnseenCase> {};
INSTANTIATE_TEST_SUITE_P(All, UnseenProxyTest, ::testing::ValuesIn(kUnseenCases),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(UnseenProxyTest, OnlyWhatHpcProxyWritesCounts) {
  const auto& want = GetParam();
  auto report = site();
  report.jobs = {{"4711", want.nodes, "4711", want.comment}};
  const auto unseen = unseen_proxies(report, std::nullopt);
  ASSERT_EQ(unseen.size(), want.host == nullptr ? 0U : 1U);
  if (want.host == nullptr) return;
  EXPECT_EQ(unseen[0], (UnseenProxy{"4711", want.host, static_cast<std::uint16_t>(want.port)}));
  EXPECT_TRUE(choose_candidates(report, std::nullopt).accepted.empty()) << "it leads nowhere";
}

TEST(UnseenProxiesTest, ARecordOfThatRunWins) {
  RecordSpec spec;
  spec.port = 50000;
  auto report = site_with(spec);
  report.jobs = {{"4711", "c1", "4711", "hpc1 c1:41234"}};
  EXPECT_TRUE(unseen_proxies(report, std::nullopt).empty()) << "whatever it says";
  report.jobs = {{"4711_3", "c1", "4711", "hpc1 c1:41234"}};
  EXPECT_TRUE(unseen_proxies(report, std::nullopt).empty());
  report.jobs = {{"4711", "c2", "4711", "hpc1 c2:41234"}};
  EXPECT_EQ(unseen_proxies(report, std::nullopt).size(), 1U) << "that record is of the run before";
}

TEST(UnseenProxiesTest, ARecordOfRunIsOne) {
  auto report = site_with({}, "4711-c1-77.json");
  report.jobs = {{"4711", "c1", "4711", "hpc1 c1:45678"}};
  EXPECT_TRUE(unseen_proxies(report, std::nullopt).empty());
}

TEST(UnseenProxiesTest, OfTheWantedJobAndNotTooMany) {
  auto report = site();
  report.jobs.clear();
  for (int i = 0; i < 7; ++i) {
    report.jobs.push_back({std::to_string(i), "c1", std::to_string(i), "hpc1 c1:41234"});
  }
  EXPECT_EQ(unseen_proxies(report, std::nullopt).size(), kCandidatesMax);
  EXPECT_EQ(unseen_proxies(report, "6").size(), 1U);
  EXPECT_TRUE(unseen_proxies(report, "8").empty());
}

TEST(UnseenProxiesTest, ArePartOfTheExplanation) {
  auto report = site();
  report.jobs = {{"4711", "c1", "4711", "hpc1 c1:41234"}};
  const auto text = explain_no_candidate(report, {}, {});
  EXPECT_NE(text.find("hpc-proxy of job 4711 says that it listens on c1:41234, but its record is "
                      "not visible here yet"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("--daemon"), std::string::npos) << "it has been started";
}

struct ListedCase {
  const char* name;
  const char* squeue;  // lines after the host's and the uid's
  const char* job;
  bool not_listed;
};
void PrintTo(const ListedCase& c, std::ostream* os) { *os << c.name; }

constexpr ListedCase kListedCases[] = {
    {"running", "squeue 0\n=4711 c1 4711\n", "4711", false},
    {"gone", "squeue 0\n=4712 c1 4712\n", "4711", true},
    {"nothing_runs", "squeue 0\n=\n", "4711", true},
    {"array_task", "squeue 0\n=4711_3 c1 4714\n", "4711_3", false},
    {"array_task_by_its_raw_id", "squeue 0\n=4711_3 c1 4714\n", "4714", false},
    {"another_array_task", "squeue 0\n=4711_3 c1 4714\n", "4711_4", true},
    {"squeue_failed", "squeue 1\n=error\n", "4711", false},
    {"no_squeue", "squeue none\n", "4711", false},
    {"not_said", "", "4711", false},
    {"outside_slurm", "squeue 0\n=\n", "login01-4711", false},
    {"a_run_record", "squeue 0\n=\n", "4711-c1-99", false},
    {"half_an_array_task", "squeue 0\n=\n", "4711_", false},
    {"empty", "squeue 0\n=\n", "", false},
};

struct JobListedTest : ::testing::TestWithParam<ListedCase> {};
INSTANTIATE_TEST_SUITE_P(All, JobListedTest, ::testing::ValuesIn(kListedCases));

TEST_P(JobListedTest, OnlyAWorkingSqueueTells) {
  const std::string marker(64, 'a');
  const auto report = parse_discovery_report(
      marker + " begin\nhost login01\nuid 1000\n" + GetParam().squeue + marker + " end\n", marker);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(job_not_listed(*report, GetParam().job), GetParam().not_listed);
}

TEST(JobListTest, AListThatWasCutSaysNothing) {
  DiscoveryReport report;
  report.slurm = SlurmAnswer::kAnswered;
  report.jobs.resize(kRunningJobsMax - 1);
  EXPECT_TRUE(job_not_listed(report, "4711"));
  report.jobs.resize(kRunningJobsMax);
  EXPECT_FALSE(job_not_listed(report, "4711"));
}

}  // namespace
}  // namespace hpc
