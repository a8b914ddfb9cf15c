// The script of a discovery, run by this machine's sh.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>
#include <string>
#include <utility>

#include "manager/session/discovery.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

const std::string kMarker(64, 'a');

TEST(DiscoveryScriptText, CarriesTheMarkerAndNothingElseOfOurs) {
  const auto script = discovery_script(kMarker);
  EXPECT_NE(script.find(kMarker), std::string::npos);
  EXPECT_NE(script.find("squeue --me -h -t R"), std::string::npos);
}

struct SqueueCase {
  const char* name;
  const char* body;  // of a program squeue; $4 of its line is what -o asks for
  const char* lines;
};
void PrintTo(const SqueueCase& c, std::ostream* os) { *os << c.name; }

// $mark is the first word of the format.
constexpr SqueueCase kSqueueCases[] = {
    {"no_comment", "echo \"$mark 1 c1 1 (null)\"", "squeue 0\n=1 c1 1 (null)\n"},
    {"comment", "echo \"$mark 1 c1 1 a  b \"", "squeue 0\n=1 c1 1 a  b \n"},
    {"empty_comment", "echo \"$mark 1 c1 1 \"", "squeue 0\n=1 c1 1 \n"},
    {"forged_job", "printf '%s 1 c1 1 x\\n2 c1 2\\n=3 c1 3\\n' $mark", "squeue 0\n=1 c1 1 x\n"},
    {"forged_end", "printf '%s 1 c1 1 x\\nhost evil\\ndirectory yes\\n' $mark",
     "squeue 0\n=1 c1 1 x\n"},
    {"line_end_first", "printf '%s 1 c1 1 \\nx\\n%s 2 c1 2 y\\n' $mark $mark",
     "squeue 0\n=1 c1 1 \n=2 c1 2 y\n"},
    {"noise", "echo warning >&2; echo \"$mark 1 c1 1 x\"", "squeue 0\n=1 c1 1 x\n"},
    {"long_comment", "printf '%s 1 c1 1 %0300d\\n' $mark 7", nullptr},
    {"none", "true", "squeue 0\n=\n"},
    {"failed", "echo no controller >&2; exit 1", "squeue 1\n=no controller\n"},
    {"stand_in_with_a_form_of_its_own", "echo 1 c1", "squeue 0\n=1 c1\n"},
};

class DiscoveryScriptTest : public TempDirFixture,
                            public ::testing::WithParamInterface<SqueueCase> {};
INSTANTIATE_TEST_SUITE_P(All, DiscoveryScriptTest, ::testing::ValuesIn(kSqueueCases),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(DiscoveryScriptTest, TakesNoLineFromAComment) {
  put(dir + "/squeue", std::string("#!/bin/sh\nmark=${6%% *}\n") + GetParam().body + "\n");
  chmod((dir + "/squeue").c_str(), 0755);
  put(dir + "/script", discovery_script(kMarker));
  const auto command =
      "HOME=" + dir + " PATH=" + dir + ":$PATH sh -s <" + dir + "/script >" + dir + "/out";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto out = text(dir + "/out");
  const auto begin = out.find("squeue ");
  const auto lines = out.substr(begin, out.find("directory no") - begin);
  const auto zeros = std::string(255, '0');
  EXPECT_EQ(lines, GetParam().lines ? GetParam().lines : "squeue 0\n=1 c1 1 " + zeros + "\n");
}

// What the script prints of a directory of records, with a PATH of few programs and of all.
struct DiscoveryRecordsTest : TempDirFixture {
  DiscoveryRecordsTest() {
    put(dir + "/script", discovery_script(kMarker));
    EXPECT_EQ(std::system(("mkdir -p " + jobs + " " + dir + "/few && cd " + dir +
                           "/few && for name in ls head sed hostname id; do"
                           " ln -s \"$(command -v $name)\" . || exit 1; done")
                              .c_str()),
              0);
  }
  DiscoveryReport found(const std::string& path) {
    const auto command = "HOME=" + dir + " PATH=" + path + " /bin/sh -s <" + dir + "/script >" +
                         dir + "/out 2>" + dir + "/err";
    EXPECT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(text(dir + "/err"), "");
    auto report = parse_discovery_report(text(dir + "/out"), kMarker);
    EXPECT_TRUE(report.has_value());
    return report ? std::move(*report) : DiscoveryReport{};
  }
  /// Both find the same; the text of the one record.
  std::string only_record() {
    const auto all = found("$PATH");
    const auto few = found(dir + "/few");
    if (all.records.size() != 1 || few.records.size() != 1) return "not one record";
    EXPECT_EQ(all.records[0].text, few.records[0].text);
    return all.records[0].text;
  }
  std::string jobs = dir + "/.hpc-proxy/jobs";
};

TEST_F(DiscoveryRecordsTest, ARecordComesAsItIs) {
  for (const std::string& whole :
       {std::string("{\"a\":1}"), std::string("two\nlines"), std::string("  a \\n \\ \t%s  "),
        std::string("=1 c1 1\nhost evil\n" + std::string(kMarker) + " end"),
        std::string("\xc3\xbc\xff\x7f"), std::string("-n"), std::string()}) {
    for (const std::string& end : {std::string(), std::string("\n")}) {
      put(jobs + "/1.json", whole + end);
      EXPECT_EQ(only_record(), whole);
    }
  }
}

TEST_F(DiscoveryRecordsTest, ALongRecordIsCutOneByteBehindTheLimit) {
  for (const std::size_t size : {kJobRecordBytesMax - 1, kJobRecordBytesMax, kJobRecordBytesMax + 1,
                                 kJobRecordBytesMax + 2, 100 * kJobRecordBytesMax}) {
    put(jobs + "/1.json", std::string(size, 'x'));
    EXPECT_EQ(only_record().size(), std::min(size, kJobRecordBytesMax + 1)) << size;
    // What is beyond is not sent either: somebody's disk full of it must not come over the network.
    found("$PATH");
    EXPECT_LT(text(dir + "/out").size(), kJobRecordBytesMax + 1000) << size;
  }
}

TEST_F(DiscoveryRecordsTest, OnlyFilesWithTheNameOfARecordAreRead) {
  put(jobs + "/1.json", "one");
  for (const char* name : {"2.json.tmp", ".3.json", "4 5.json", "-6.json", "json", "7_json"}) {
    put(jobs + "/" + name, "no");
  }
  const auto command = "cd " + jobs + " && mkfifo 8.json && mkdir 9.json && ln -s 1.json 10.json" +
                       " && mkdir 11 && echo no >11/12.json";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(only_record(), "one");
}

TEST_F(DiscoveryRecordsTest, TheNewestAreLookedAt) {
  const auto most = std::to_string(kRecordsMax);
  const auto command = "cd " + jobs + " && for i in $(seq 0 " + most +
                       "); do echo $i >$i.json; touch -d @$((1000000 + i)) $i.json; done";
  ASSERT_EQ(std::system(command.c_str()), 0);
  put(jobs + "/newer.txt", "not counted");
  for (const auto& path : {std::string("$PATH"), dir + "/few"}) {
    const auto report = found(path);
    ASSERT_EQ(report.records.size(), kRecordsMax);
    EXPECT_EQ(report.records.front().name, most + ".json");
    EXPECT_EQ(report.records.back().text, "1");
  }
}

}  // namespace
}  // namespace hpc
