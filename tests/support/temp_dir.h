#pragma once
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace hpc {

/// A directory of its own (0700) for each test, removed at its end.
struct TempDirFixture : ::testing::Test {
  TempDirFixture() {
    std::string name = std::filesystem::temp_directory_path() / "hpc-test.XXXXXX";
    dir = std::filesystem::canonical(mkdtemp(name.data()));
  }
  ~TempDirFixture() override { std::filesystem::remove_all(dir); }

  static int mode(const std::string& path) {
    struct stat info {};
    return lstat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 07777) : -1;
  }
  static std::string text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void put(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }

  std::string dir;
};

}  // namespace hpc
