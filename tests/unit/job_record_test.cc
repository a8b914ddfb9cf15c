#include "common/job_record.h"

#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

const std::string kToken(64, '7');

JobRecord example() {
  JobRecord record;
  record.host = "node-07.cluster";
  record.slurm_node = "node-07";
  record.addresses = {"10.77.0.21", "fd00::21"};
  record.port = 41234;
  record.pid = 4711;
  record.uid = 20001;
  record.token = kToken;
  record.job_id = "1234";
  record.app = JobRecord::App{"unix:/home/alice/.hpc-proxy/ide.sock", true};
  record.started_at = "2026-03-01T12:00:00.250Z";
  record.job_end = "2026-03-01T20:00:00.000Z";
  record.program_version = "0.1.0";
  record.private_ports = JobRecord::Private{"loopback", {"127.64.12.8", "127.64.12.9"}};
  record.inside_run = "4711-c1-90";
  return record;
}

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = write_job_record(example());
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(JobRecordTest, ReadsWhatItWrote) {
  const auto got = parse_job_record(write_job_record(example()));
  ASSERT_TRUE(got.has_value()) << describe(got.error());
  EXPECT_EQ(write_job_record(*got), write_job_record(example()));
  EXPECT_EQ(got->addresses, example().addresses);
  ASSERT_TRUE(got->app.has_value());
  EXPECT_EQ(got->app->target, example().app->target);
  EXPECT_TRUE(got->app->keep_prefix);
  ASSERT_TRUE(got->private_ports.has_value());
  EXPECT_EQ(got->private_ports->mode, "loopback");
  EXPECT_EQ(got->private_ports->addresses, example().private_ports->addresses);
  EXPECT_EQ(got->inside_run, "4711-c1-90");
}

TEST(JobRecordTest, OptionalFieldsMayBeNullOrMissing) {
  JobRecord record = example();
  record.slurm_node.reset();
  record.app.reset();
  record.job_end.reset();
  record.private_ports.reset();
  record.inside_run.reset();
  const auto got = parse_job_record(write_job_record(record));
  ASSERT_TRUE(got.has_value()) << describe(got.error());
  EXPECT_FALSE(got->slurm_node || got->app || got->job_end || got->private_ports ||
               got->inside_run);
  EXPECT_TRUE(parse_job_record(replaced("\"slurm_node\":\"node-07\",", "")).has_value());
}

TEST(JobRecordTest, NetworkSpaceHasNoAddresses) {
  JobRecord record = example();
  record.private_ports = JobRecord::Private{"netns", {}};
  const auto got = parse_job_record(write_job_record(record));
  ASSERT_TRUE(got.has_value()) << describe(got.error());
  EXPECT_EQ(got->private_ports->mode, "netns");
  EXPECT_TRUE(got->private_ports->addresses.empty());
}

TEST(JobRecordTest, UnknownFieldsAreIgnored) {
  EXPECT_TRUE(parse_job_record(replaced("{\"mode\"", "{\"new\":1,\"mode\"")).has_value());
  EXPECT_TRUE(parse_job_record(replaced("{\"version\"", "{\"new\":[{}],\"version\"")).has_value());
}

struct HostileCase {
  const char* name;
  const char* from;
  const char* to;
};
void PrintTo(const HostileCase& c, std::ostream* os) { *os << c.name; }

constexpr HostileCase kHostile[] = {
    {"newer", "\"version\":1", "\"version\":2"},
    {"version_text", "\"version\":1", "\"version\":\"1\""},
    {"version_real", "\"version\":1", "\"version\":1.0"},
    {"version_missing", "\"version\":1,", ""},
    {"twice", "\"port\":41234", "\"port\":41234,\"port\":41235"},
    {"port_low", "41234", "1023"},
    {"port_high", "41234", "65536"},
    {"port_negative", "41234", "-1"},
    {"port_huge", "41234", "99999999999999999999"},
    {"port_text", "41234", "\"41234\""},
    {"port_null", "41234", "null"},
    {"pid_zero", "4711", "0"},
    {"pid_negative", "4711", "-4711"},
    {"uid_nobody", "20001", "4294967295"},
    {"uid_real", "20001", "2e4"},
    {"host_option", "node-07.cluster", "-oProxyCommand=x"},
    {"host_space", "node-07.cluster", "a b"},
    {"host_empty", "node-07.cluster", ""},
    {"host_escape", "node-07.cluster", "a\\u001b[2J"},
    {"host_nul", "node-07.cluster", "a\\u0000b"},
    {"host_list", "\"node-07.cluster\"", "[]"},
    {"node_space", "\"node-07\",", "\"a b\","},
    {"address_name", "10.77.0.21", "evil.example"},
    {"address_nul", "10.77.0.21", "10.77.0.21\\u0000x"},
    {"address_number", "\"10.77.0.21\"", "1"},
    {"addresses_text", "[\"10.77.0.21\",\"fd00::21\"]", "\"10.77.0.21\""},
    {"id_path", "\"1234\"", "\"../1234\""},
    {"id_dots", "\"1234\"", "\"..\""},
    {"token_upper", "\"token\":\"7777", "\"token\":\"ABCD"},
    {"token_short", "\"token\":\"7777", "\"token\":\"777"},
    {"app_text", "\"app\":{", "\"app\":5500,\"x\":{"},
    {"app_target", "unix:/home", "unix:home"},
    {"app_url", "unix:/home/alice/.hpc-proxy/ide.sock", "http://127.0.0.1"},
    {"app_keep", "\"keep_prefix\":true", "\"keep_prefix\":1"},
    {"started_text", "2026-03-01T12:00:00.250Z", "yesterday"},
    {"end_zone", "2026-03-01T20:00:00.000Z", "2026-03-01T20:00:00+01:00"},
    {"version_control", "\"0.1.0\"", "\"0\\n1\""},
    {"inside_number", "\"4711-c1-90\"", "90"},
    {"inside_name", "4711-c1-90", "4711 c1"},
    {"private_text", "\"private\":{", "\"private\":\"loopback\",\"x\":{"},
    {"private_list", "\"private\":{", "\"private\":[],\"x\":{"},
    {"private_mode", "\"loopback\"", "\"auto\""},
    {"private_mode_missing", "\"mode\":\"loopback\",", ""},
    {"private_mode_twice", "\"mode\":", "\"mode\":\"netns\",\"mode\":"},
    {"private_addresses_missing", ",\"addresses\":[\"127", ",\"x\":[\"127"},
    {"private_addresses_null", "[\"127.64.12.8\",\"127.64.12.9\"]", "null"},
    {"private_addresses_text", "[\"127.64.12.8\",\"127.64.12.9\"]", "\"127.64.12.8\""},
    {"private_three", "\"127.64.12.8\"", "\"127.64.12.8\",\"127.64.12.10\""},
    {"private_common", "127.64.12.8", "127.0.0.1"},
    {"private_below", "127.64.12.8", "127.63.255.255"},
    {"private_above", "127.64.12.8", "127.128.0.0"},
    {"private_elsewhere", "127.64.12.8", "10.64.12.8"},
    {"private_mapped", "127.64.12.8", "::ffff:127.64.12.8"},
    {"private_octal", "127.64.12.8", "127.0100.12.8"},
    {"private_name", "127.64.12.8", "localhost"},
    {"private_nul", "127.64.12.8", "127.64.12.8\\u0000"},
    {"private_number", "\"127.64.12.8\"", "2134903816"},
    {"comment", "{\"version\"", "/*x*/{\"version\""},
    {"trailing_comma", "-c1-90\"}", "-c1-90\",}"},
    {"trailing_text", "-c1-90\"}", "-c1-90\"} x"},
    {"bad_utf8", "{\"version\"", "{\"n\":\"\xC3(\",\"version\""},
};

class JobRecordHostileTest : public testing::TestWithParam<HostileCase> {};
TEST_P(JobRecordHostileTest, IsRefusedWithoutSayingTheToken) {
  const auto got = parse_job_record(replaced(GetParam().from, GetParam().to));
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::kBadRequest);
  EXPECT_EQ(describe(got.error()).find("777"), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(Table, JobRecordHostileTest, testing::ValuesIn(kHostile),
                         [](const auto& c) { return c.param.name; });

TEST(JobRecordTest, EveryTruncationIsRefused) {
  const std::string text = write_job_record(example());
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    EXPECT_FALSE(parse_job_record(text.substr(0, size)).has_value()) << size;
  }
}

TEST(JobRecordTest, SizeLimitIsExact) {
  std::string text = write_job_record(example());
  text.append(kJobRecordBytesMax - text.size(), ' ');
  EXPECT_TRUE(parse_job_record(text).has_value());
  EXPECT_FALSE(parse_job_record(text + " ").has_value());
}

TEST(JobRecordTest, DeepNestingDoesNotUseTheStack) {
  EXPECT_FALSE(parse_job_record(std::string(kJobRecordBytesMax, '[')).has_value());
  EXPECT_FALSE(
      parse_job_record(replaced("{\"version\"", "{\"n\":" + std::string(1000, '[') +
                                                    std::string(1000, ']') + ",\"x\":{\"version\""))
          .has_value());
}

TEST(JobRecordTest, NulByteDoesNotHideWhatFollows) {
  EXPECT_FALSE(parse_job_record(write_job_record(example()) + std::string(1, '\0') + "x"));
}

TEST(JobRecordTest, OnlySixteenAddressesAreWrittenAndRead) {
  JobRecord record = example();
  record.addresses.assign(17, "10.0.0.1");
  const auto got = parse_job_record(write_job_record(record));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->addresses.size(), 16U);
}

TEST(JobRecordTest, TokenIsExactly64LowerCaseHexDigits) {
  EXPECT_TRUE(is_token(kToken));
  EXPECT_FALSE(is_token(kToken + "7"));
  EXPECT_FALSE(is_token(kToken.substr(1)));
  EXPECT_FALSE(is_token(std::string(64, 'F')));
  EXPECT_FALSE(is_token(std::string(63, 'f') + "g"));
}

}  // namespace
}  // namespace hpc
