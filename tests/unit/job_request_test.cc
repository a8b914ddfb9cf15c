#include "manager/slurm/job_request.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

TEST(JobRequestTest, SlurmsTimes) {
  for (const char* text : {"0", "90", "1:30", "1:30:00", "2-12", "2-12:30", "2-12:30:15"}) {
    EXPECT_TRUE(is_slurm_time(text)) << text;
  }
  for (const char* text :
       {"", ":", "1:", ":1", "1:2:3:4", "-5", "1-", "1-2-3", "1-2:3:4:5", "1h", "1 :2", "infinite",
        "+5", "1\n", "$(id)", "123456789012345678901234567890123"}) {
    EXPECT_FALSE(is_slurm_time(text)) << text;
  }
  EXPECT_TRUE(is_slurm_time(std::string(32, '1')));
}

TEST(JobRequestTest, SlurmsMemory) {
  for (const char* text : {"0", "4000", "4G", "123456789T", "1K", "1M"}) {
    EXPECT_TRUE(is_slurm_memory(text)) << text;
  }
  for (const char* text :
       {"", "G", "4GB", "4g", "1234567890", "-1", "4 G", "4.5G", "4G\n", "4G;"}) {
    EXPECT_FALSE(is_slurm_memory(text)) << text;
  }
}

TEST(JobRequestTest, PartitionsAndJobNamesAreOneWord) {
  for (const char* text : {"gpu", "GPU-A100.long_2", "0x", "a"}) {
    EXPECT_TRUE(is_slurm_partition(text)) << text;
    EXPECT_TRUE(is_slurm_job_name(text)) << text;
  }
  for (const char* text : {"", "-p", "--wrap=id", "a,b", "a b", "a/b", ".a", "_a", "a\n", "a;b",
                           "a%j", "$HOME", "`id`", "a'b",
                           "gr\xc3\xbc"
                           "n",
                           "a!"}) {
    EXPECT_FALSE(is_slurm_partition(text)) << text;
    EXPECT_FALSE(is_slurm_job_name(text)) << text;
  }
  EXPECT_FALSE(is_slurm_partition(std::string_view("a\0b", 3)));
  EXPECT_TRUE(is_slurm_partition(std::string(64, 'a')));
  EXPECT_FALSE(is_slurm_partition(std::string(65, 'a')));
}

TEST(JobRequestTest, AJobsNameHoldsIdeAndKey) {
  EXPECT_EQ(session_job_name("vscode", "0123456789abcdef0000000000000000"),
            "hpc-vscode-0123456789abcdef");
}

TEST(JobRequestTest, TheLongestIdeStillMakesAName) {
  const std::string session = "0123456789abcdef0000000000000000";
  const auto fits = session_job_name(std::string(43, 'x'), session);
  EXPECT_EQ(fits, "hpc-" + std::string(43, 'x') + "-0123456789abcdef");
  EXPECT_TRUE(is_slurm_job_name(fits));
  EXPECT_EQ(session_job_name(std::string(64, 'x'), session), fits);
}

TEST(JobRequestTest, NothingAskedForIsNoArgument) {
  EXPECT_EQ(sbatch_arguments({}).value(), std::vector<std::string>{});
}

TEST(JobRequestTest, EveryValueIsOneArgument) {
  const JobRequest request{8, 1, "4G", "1:30:00", "gpu", "demo"};
  EXPECT_EQ(sbatch_arguments(request).value(),
            (std::vector<std::string>{"--cpus-per-task=8", "--gres=gpu:1", "--mem=4G",
                                      "--time=1:30:00", "--partition=gpu", "--account=demo"}));
}

TEST(JobRequestTest, ValuesAreCheckedOnceMore) {
  const auto refused = [](const JobRequest& request, const std::string& option) {
    const auto arguments = sbatch_arguments(request);
    ASSERT_FALSE(arguments.has_value()) << option;
    EXPECT_EQ(arguments.error().code, Errc::kBadRequest);
    EXPECT_NE(arguments.error().detail.find(option), std::string::npos) << arguments.error().detail;
  };
  refused({.cpus = 0, .gpus = {}, .memory = "", .time = "", .partition = "", .account = ""},
          "--cpus-per-task");
  JobRequest request;
  request.cpus = kJobCpusMax + 1;
  refused(request, "--cpus-per-task");
  request.cpus = kJobCpusMax;
  request.gpus = kJobGpusMax;
  EXPECT_TRUE(sbatch_arguments(request).has_value());
  request.gpus = kJobGpusMax + 1;
  refused(request, "--gres");
  request = {};
  request.memory = "4G;id";
  refused(request, "--mem");
  request = {};
  request.time = "1h";
  refused(request, "--time");
  request = {};
  request.partition = "--wrap=id";
  refused(request, "--partition");
  request = {};
  request.account = "a b";
  refused(request, "--account");
  request.time = "x";
  refused(request, "--time");
}

}  // namespace
}  // namespace hpc
