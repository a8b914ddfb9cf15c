#include "node-proxy/start_up.h"

#include <unistd.h>

#include <map>
#include <string>

#include "common/rfc3339.h"
#include "node-proxy/process.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

struct RunAroundTest : TempDirFixture {
  RecordDir records = std::move(*RecordDir::open(dir + "/.hpc-proxy"));
  std::string host = host_name();
  JobIdentity identity{"4711-c1-90", "4711", true, false, {}, {}, {}};

  /// Puts the record of a run there, of this process.
  void put_run(const std::string& id, const std::string& job_id) const {
    JobRecord record;
    record.host = host;
    record.port = 41234;
    record.pid = getpid();
    record.uid = geteuid();
    record.token = std::string(64, '7');
    record.job_id = job_id;
    record.started_at = format_rfc3339(unix_ms());
    record.program_version = "0.1.0";
    ASSERT_TRUE(records.write(id, record).has_value());
  }
  std::string around(const std::string& variable) const {
    const auto found = find_run_around(
        records,
        [&](const char* name) -> std::optional<std::string> {
          if (std::string(name) != kRunVariable) return std::nullopt;
          return variable;
        },
        identity, host);
    return found ? found->id : "";
  }
};

TEST_F(RunAroundTest, IsTheLiveOneThatTheEnvironmentNames) {
  put_run("4711-c1-7", "4711");
  EXPECT_EQ(around("4711-c1-7"), "4711-c1-7");
  EXPECT_EQ(around(""), "");
  EXPECT_EQ(around("4711-c1-8"), "");
  EXPECT_EQ(around("../4711-c1-7"), "");
}

TEST_F(RunAroundTest, OneOfAnotherJobIsNot) {
  put_run("4711-c1-7", "4711");
  identity.job_id = "4712";
  EXPECT_EQ(around("4711-c1-7"), "");
  // Outside of SLURM every record has a job of its own.
  identity.in_slurm = false;
  EXPECT_EQ(around("4711-c1-7"), "4711-c1-7");
}

TEST_F(RunAroundTest, OneOfAnotherHostIsNot) {
  put_run("4711-c1-7", "4711");
  host = "elsewhere";
  EXPECT_EQ(around("4711-c1-7"), "");
}

}  // namespace
}  // namespace hpc
