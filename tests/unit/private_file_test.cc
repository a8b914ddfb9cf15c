#include "node-proxy/private_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "common/unique_fd.h"

namespace hpc {
namespace {

namespace fs = std::filesystem;

class PrivateFileTest : public testing::Test {
 protected:
  PrivateFileTest() {
    std::string name = fs::temp_directory_path() / "private-file.XXXXXX";
    path_ = mkdtemp(name.data());
    dir_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY));
  }
  ~PrivateFileTest() override { fs::remove_all(path_); }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
  }
  std::string text(const std::string& name) const {
    std::ifstream stream(path_ + "/" + name);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::string names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(path_))
      found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    std::string all;
    for (const auto& name : found) all += name + " ";
    return all;
  }
  bool remove(const std::function<bool(std::string_view)>& is_it) const {
    return remove_private_file(dir_.get(), "file", "tmp", 16, is_it);
  }

  std::string path_;
  UniqueFd dir_;
};

TEST_F(PrivateFileTest, ReadsExactlyUpToTheLimit) {
  put("file", "12345");
  EXPECT_EQ(read_private_file(dir_.get(), "file", 5), "12345");
  EXPECT_EQ(read_private_file(dir_.get(), "file", 4), std::nullopt);
}

TEST_F(PrivateFileTest, WritesWholeFilesAndLeavesNothingElse) {
  put("tmp", "of a crash");
  ASSERT_TRUE(write_private_file(dir_.get(), "file", "tmp", "one").has_value());
  ASSERT_TRUE(write_private_file(dir_.get(), "file", "tmp", "two").has_value());
  EXPECT_EQ(text("file"), "two");
  EXPECT_EQ(names(), "file ");
}

TEST_F(PrivateFileTest, NeverWritesThroughALinkThatWaitsUnderTheTemporaryName) {
  put("precious", "thesis");
  fs::create_hard_link(path_ + "/precious", path_ + "/tmp");
  ASSERT_TRUE(write_private_file(dir_.get(), "file", "tmp", "x").has_value());
  fs::create_symlink("precious", path_ + "/tmp");
  ASSERT_TRUE(write_private_file(dir_.get(), "file", "tmp", "x").has_value());
  fs::remove(path_ + "/file");
  fs::create_hard_link(path_ + "/precious", path_ + "/file");
  ASSERT_TRUE(write_private_file(dir_.get(), "file", "tmp", "x").has_value());
  EXPECT_EQ(text("precious"), "thesis");
}

TEST_F(PrivateFileTest, FailureSaysWhyAndLeavesNothing) {
  fs::create_directory(path_ + "/file");
  const auto done = write_private_file(dir_.get(), "file", "tmp", "x");
  ASSERT_FALSE(done.has_value());
  EXPECT_NE(done.error().detail.find("cannot be written: Is a directory"), std::string::npos)
      << done.error().detail;
  EXPECT_EQ(names(), "file ");
}

TEST_F(PrivateFileTest, MissingDirectorySaysSo) {
  const auto done = make_private_file(AT_FDCWD, path_ + "/missing/file", "x");
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().detail, "cannot be written: No such file or directory");
}

TEST_F(PrivateFileTest, PublishedOnlyWhereNothingIs) {
  put("tmp", "new");
  EXPECT_EQ(publish_new_file(dir_.get(), "tmp", "file").value_or(false), true);
  EXPECT_EQ(names(), "file ");
  put("tmp", "newer");
  EXPECT_EQ(publish_new_file(dir_.get(), "tmp", "file").value_or(true), false);
  EXPECT_EQ(text("file"), "new");
  EXPECT_EQ(names(), "file ");
}

TEST_F(PrivateFileTest, ALinkWhoseAnswerWasLostWasMade) {
  put("tmp", "new");
  fs::create_hard_link(path_ + "/tmp", path_ + "/file");
  EXPECT_EQ(publish_new_file(dir_.get(), "tmp", "file").value_or(false), true);
  EXPECT_EQ(names(), "file ");
}

TEST_F(PrivateFileTest, PublishingNothingIsAnError) {
  const auto done = publish_new_file(dir_.get(), "tmp", "file");
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, Errc::kSystem);
}

TEST_F(PrivateFileTest, RemovesWhatItIsToldTo) {
  put("file", "1");
  EXPECT_FALSE(remove([](auto text) { return text == "2"; }));
  EXPECT_EQ(names(), "file ");
  EXPECT_TRUE(remove([](auto text) { return text == "1"; }));
  EXPECT_EQ(names(), "");
}

TEST_F(PrivateFileTest, WhatCameInItsPlaceMeanwhileIsPutBack) {
  put("file", "old");
  int looks = 0;
  EXPECT_FALSE(remove([&](std::string_view text) {
    const bool is_it = text == "old";
    if (++looks == 1) put("file", "new");  // between the look and the removal
    return is_it;
  }));
  EXPECT_EQ(looks, 2);
  EXPECT_EQ(text("file"), "new");
  EXPECT_EQ(names(), "file ");
}

TEST_F(PrivateFileTest, NothingToRemoveIsNoMatter) {
  EXPECT_FALSE(remove([](auto) { return true; }));
  fs::create_symlink("/etc/passwd", path_ + "/file");
  EXPECT_FALSE(remove([](auto) { return true; }));
  EXPECT_EQ(names(), "file ");
}

}  // namespace
}  // namespace hpc
