#include "node-proxy/record_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/rfc3339.h"
#include "node-proxy/process.h"

namespace hpc {
namespace {

namespace fs = std::filesystem;

class RecordDirTest : public testing::Test {
 protected:
  RecordDirTest() {
    std::string name = fs::temp_directory_path() / "record-dir.XXXXXX";
    base_ = mkdtemp(name.data());
    path_ = base_ + "/.hpc-proxy";
  }
  ~RecordDirTest() override { fs::remove_all(base_); }
  RecordDir open() {
    auto dir = RecordDir::open(path_);
    EXPECT_TRUE(dir.has_value()) << describe(dir.error());
    return std::move(*dir);
  }
  static JobRecord record(std::int64_t pid, std::int64_t started_ms) {
    JobRecord record;
    record.host = host_name();
    record.port = 41234;
    record.pid = pid;
    record.uid = geteuid();
    record.token = std::string(64, '7');
    record.job_id = "77";
    record.started_at = format_rfc3339(started_ms);
    return record;
  }
  static JobRecord live() { return record(getpid(), unix_ms()); }
  static JobRecord dead() { return record(0x7FFFFFFF, unix_ms()); }
  static int mode(const std::string& path) {
    struct stat info {};
    return lstat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 07777) : -1;
  }
  static std::string text(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(const std::string& name, const std::string& content) const {
    std::ofstream(path_ + "/" + name) << content;
  }
  std::size_t count(const std::string& folder = "") const {
    std::size_t found = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(path_ + folder)) ++found;
    return found;
  }

  std::string base_;
  std::string path_;
};

TEST_F(RecordDirTest, MakesAndTightensItsDirectories) {
  fs::create_directory(path_);
  fs::permissions(path_, fs::perms(0775));
  open();
  EXPECT_EQ(mode(path_), 0700);
  EXPECT_EQ(mode(path_ + "/jobs"), 0700);
}

TEST_F(RecordDirTest, RefusesASymbolicLink) {
  fs::create_directory(base_ + "/elsewhere");
  fs::create_symlink(base_ + "/elsewhere", path_);
  const auto dir = RecordDir::open(path_);
  ASSERT_FALSE(dir.has_value());
  EXPECT_NE(describe(dir.error()).find("symbolic link"), std::string::npos);
}

TEST_F(RecordDirTest, RefusesASymbolicLinkAlsoWithASlashBehindIt) {
  fs::create_directory(base_ + "/elsewhere");
  fs::create_symlink(base_ + "/elsewhere", path_);
  EXPECT_FALSE(RecordDir::open(path_ + "/").has_value());
  EXPECT_FALSE(RecordDir::open_existing(path_ + "//").has_value());
}

TEST_F(RecordDirTest, RefusesASymbolicLinkForTheJobs) {
  open();
  fs::remove(path_ + "/jobs");
  fs::create_symlink(base_, path_ + "/jobs");
  const auto dir = RecordDir::open(path_);
  ASSERT_FALSE(dir.has_value());
  EXPECT_NE(describe(dir.error()).find("/jobs: is a symbolic link"), std::string::npos);
}

TEST_F(RecordDirTest, RefusesASymbolicLinkInsteadOfTheRecord) {
  const auto dir = open();
  fs::create_symlink("/etc/passwd", path_ + "/jobs/77.json");
  EXPECT_FALSE(dir.write("77", live()).has_value());
}

TEST_F(RecordDirTest, RefusesAFileInItsPlace) {
  std::ofstream(path_.c_str()) << "x";
  EXPECT_FALSE(RecordDir::open(path_).has_value());
}

TEST_F(RecordDirTest, RefusesASymbolicLinkInsteadOfThePortFile) {
  open();
  fs::create_symlink("/etc/passwd", path_ + "/port");
  EXPECT_FALSE(RecordDir::open(path_).has_value());
  EXPECT_TRUE(fs::exists("/etc/passwd"));
}

TEST_F(RecordDirTest, RefusesADirectoryOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a directory away";
  fs::create_directory(path_);
  ASSERT_EQ(chown(path_.c_str(), 20001, 20001), 0);
  const auto dir = RecordDir::open(path_);
  ASSERT_FALSE(dir.has_value());
  EXPECT_NE(describe(dir.error()).find("another user"), std::string::npos);
}

TEST_F(RecordDirTest, OpeningToLookMakesNothing) {
  EXPECT_EQ(RecordDir::open_existing(path_).error().code, Errc::kNotFound);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(RecordDirTest, WritesPrivateFilesWhateverTheUmask) {
  const mode_t before = umask(0);
  auto dir = RecordDir::open(path_);
  ASSERT_TRUE(dir.has_value()) << describe(dir.error());
  EXPECT_TRUE(dir->write("77", live()).has_value());
  umask(0777);
  EXPECT_TRUE(dir->write_port(41234, "").has_value());
  umask(before);
  EXPECT_EQ(mode(path_ + "/jobs/77.json"), 0600);
  EXPECT_EQ(mode(path_ + "/port"), 0600);
  EXPECT_EQ(text(path_ + "/port"), "41234\n");
  EXPECT_EQ(count("/jobs"), 1U) << "nothing temporary is left";
}

TEST_F(RecordDirTest, ReadsWhatItWrote) {
  const auto dir = open();
  ASSERT_TRUE(dir.write("77", live()).has_value());
  ASSERT_EQ(dir.read_all().size(), 1U);
  EXPECT_EQ(dir.read_all().at(0).id, "77");
  EXPECT_TRUE(is_live(dir.read_all().at(0).record, host_name()));
}

TEST_F(RecordDirTest, PassesOverWhatIsNoRecord) {
  const auto dir = open();
  put("jobs/1.json", "{");
  put("jobs/2.json", std::string(kJobRecordBytesMax + 1, ' '));
  put("jobs/3.txt", write_job_record(live()));
  fs::create_symlink("/dev/zero", path_ + "/jobs/4.json");
  ASSERT_EQ(mkfifo((path_ + "/jobs/5.json").c_str(), 0600), 0);
  EXPECT_TRUE(dir.read_all().empty());
}

TEST_F(RecordDirTest, PassesOverTheRecordOfAnotherUser) {
  const auto dir = open();
  JobRecord other = live();
  other.uid += 1;
  ASSERT_TRUE(dir.write("77", other).has_value());
  EXPECT_TRUE(dir.read_all().empty());
}

TEST_F(RecordDirTest, RemovesOnlyItsOwnRecord) {
  const auto dir = open();
  const JobRecord own = live();
  JobRecord later = own;
  later.pid += 1;
  ASSERT_TRUE(dir.write("77", later).has_value());
  dir.remove_own("77", own);
  EXPECT_EQ(dir.read_all().size(), 1U);
  dir.remove_own("77", later);
  EXPECT_TRUE(dir.read_all().empty());
}

TEST_F(RecordDirTest, ChangesOnlyItsOwnRecord) {
  const auto dir = open();
  const JobRecord own = live();
  JobRecord changed = own;
  changed.app = {"5500", false};
  EXPECT_EQ(dir.update_own("77", own, changed).error().code, Errc::kNotFound) << "was removed";
  EXPECT_EQ(count("/jobs"), 0U);
  ASSERT_TRUE(dir.write("77", own).has_value());
  ASSERT_TRUE(dir.update_own("77", own, changed).has_value());
  EXPECT_TRUE(dir.read("77")->app.has_value());
  JobRecord later = own;
  later.started_at = format_rfc3339(unix_ms() + 1000);
  ASSERT_TRUE(dir.write("77", later).has_value());
  EXPECT_EQ(dir.update_own("77", own, changed).error().code, Errc::kNotFound) << "was replaced";
  EXPECT_FALSE(dir.read("77")->app.has_value());
}

TEST_F(RecordDirTest, DirectoryThatIsRemovedMeanwhileIsAnErrorAndNothingElse) {
  const auto dir = open();
  ASSERT_TRUE(dir.write("77", live()).has_value());
  fs::remove_all(path_);
  EXPECT_FALSE(dir.write("77", live()).has_value());
  EXPECT_FALSE(dir.write_port(41234, "").has_value());
  dir.remove_own("77", live());
  dir.remove_port(41234, "");
  dir.remove_stale(host_name(), "");
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(RecordDirTest, RemovesThePortFileOnlyWhileItNamesOurs) {
  const auto dir = open();
  ASSERT_TRUE(dir.write_port(41234, "").has_value());
  dir.remove_port(41235, "");
  EXPECT_TRUE(fs::exists(path_ + "/port"));
  dir.remove_port(41234, "");
  EXPECT_FALSE(fs::exists(path_ + "/port"));
}

TEST_F(RecordDirTest, PortFileMayBeElsewhere) {
  const auto dir = open();
  const std::string file = base_ + "/my-port";
  ASSERT_TRUE(dir.write_port(41234, file).has_value());
  EXPECT_EQ(text(file), "41234\n");
  EXPECT_EQ(mode(file), 0600);
  dir.remove_port(41234, file);
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(RecordDirTest, StalePortAndDeadRecordsGoAtOnce) {
  const auto dir = open();
  ASSERT_TRUE(dir.write("dead", dead()).has_value());
  ASSERT_TRUE(dir.write_port(41234, "").has_value());
  put("jobs/." + host_name() + "-2147483647.tmp", "half");
  dir.remove_stale(host_name(), "");
  EXPECT_EQ(count("/jobs"), 0U);
  EXPECT_FALSE(fs::exists(path_ + "/port"));
}

TEST_F(RecordDirTest, PortFileElsewhereIsRemovedOnlyWhereItIsOne) {
  const auto dir = open();
  const std::string file = base_ + "/my-port";
  std::ofstream(file) << "notes";
  dir.remove_stale(host_name(), file);
  EXPECT_TRUE(fs::exists(file));
  std::ofstream(file) << "41234\n";
  dir.remove_stale(host_name(), file);
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(RecordDirTest, LiveOnesAndOtherHostsStay) {
  const auto dir = open();
  JobRecord elsewhere = dead();
  elsewhere.host = "other-node";
  ASSERT_TRUE(dir.write("live", live()).has_value());
  ASSERT_TRUE(dir.write("elsewhere", elsewhere).has_value());
  ASSERT_TRUE(dir.write_port(41234, "").has_value());
  dir.remove_stale(host_name(), "");
  EXPECT_EQ(dir.read_all().size(), 2U);
  EXPECT_TRUE(fs::exists(path_ + "/port"));
}

TEST_F(RecordDirTest, ProcessWithAReusedIdIsNotTheOneOfTheRecord) {
  constexpr std::int64_t kHourMs = 3'600'000;
  EXPECT_TRUE(is_live(record(getpid(), unix_ms()), host_name()));
  EXPECT_FALSE(is_live(record(getpid(), unix_ms() - 24 * 30 * kHourMs), host_name()));
}

TEST(RecordIdTest, IsAFileNameWithoutTricks) {
  for (const char* good : {"1", "1234", "node-07-4711", "1234-node.x-1", "a_b"}) {
    EXPECT_TRUE(is_record_id(good)) << good;
  }
  for (const char* bad : {"", ".", "..", "../x", "a/b", "-x", ".x", "a b", "a\n"}) {
    EXPECT_FALSE(is_record_id(bad)) << bad;
  }
  EXPECT_TRUE(is_record_id(std::string(240, 'a')));
  EXPECT_FALSE(is_record_id(std::string(241, 'a')));
}

}  // namespace
}  // namespace hpc
