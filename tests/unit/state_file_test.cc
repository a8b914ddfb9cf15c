#include "manager/store/state_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kExt4 = 0xEF53;
constexpr std::uint64_t kNfs = 0x6969;

struct StateFileTest : TempDirFixture {
  std::uint64_t f_type = kExt4;

  Result<std::string> prepare(const std::string& path) const {
    return prepare_state_file(path, [this](int) { return f_type; });
  }
  std::string refused(const std::string& path, Errc code = Errc::kConfig) const {
    const auto prepared = prepare(path);
    EXPECT_FALSE(prepared.has_value());
    if (prepared) return {};
    EXPECT_EQ(prepared.error().code, code);
    EXPECT_NE(describe(prepared.error()).find(path), std::string::npos);
    return describe(prepared.error());
  }
  static bool says(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
  }
};

TEST_F(StateFileTest, MakesTheFileForItsOwnerOnly) {
  const mode_t before = umask(0);
  const auto path = prepare(dir + "/state.db");
  umask(before);
  ASSERT_TRUE(path.has_value()) << describe(path.error());
  EXPECT_EQ(*path, dir + "/state.db");
  EXPECT_EQ(mode(*path), 0600);
}

TEST_F(StateFileTest, MakesTheLastDirectoryForItsOwnerOnly) {
  const mode_t before = umask(0);
  const auto path = prepare(dir + "/manager/state.db");
  umask(before);
  ASSERT_TRUE(path.has_value()) << describe(path.error());
  EXPECT_EQ(mode(dir + "/manager"), 0700);
}

TEST_F(StateFileTest, MakesNoMoreThanOneDirectory) {
  const auto said = refused(dir + "/a/b/state.db", Errc::kSystem);
  EXPECT_TRUE(says(said, "directory cannot be made: No such file or directory")) << said;
  EXPECT_FALSE(fs::exists(dir + "/a"));
}

TEST_F(StateFileTest, KeepsWhatIsInTheFileAndClosesItToOthers) {
  const std::string path = dir + "/state.db";
  put(path, "precious");
  fs::permissions(path, fs::perms(0664));
  ASSERT_TRUE(prepare(path).has_value());
  EXPECT_EQ(mode(path), 0600);
  EXPECT_EQ(text(path), "precious");
}

TEST_F(StateFileTest, ReturnsAnAbsolutePathForARelativeOne) {
  const fs::path before = fs::current_path();
  fs::current_path(dir);
  const auto in_place = prepare("state.db");
  const auto below = prepare("sub/state.db");
  fs::current_path(before);
  ASSERT_TRUE(in_place && below);
  EXPECT_EQ(*in_place, dir + "/state.db");
  EXPECT_EQ(*below, dir + "/sub/state.db");
}

TEST_F(StateFileTest, TheDirectoryMayBeReachedByALink) {
  fs::create_directory(dir + "/real");
  fs::permissions(dir + "/real", fs::perms(0700));
  fs::create_symlink(dir + "/real", dir + "/link");
  const auto path = prepare(dir + "/link/state.db");
  ASSERT_TRUE(path.has_value()) << describe(path.error());
  EXPECT_EQ(*path, dir + "/real/state.db");
}

TEST_F(StateFileTest, RefusesASharedFileSystemAndMakesNothingThere) {
  f_type = kNfs;
  for (const auto& path : {dir + "/state.db", dir + "/manager/state.db"}) {
    const auto said = refused(path);
    EXPECT_TRUE(says(said, "is on NFS")) << said;
    EXPECT_TRUE(says(said, "local disk of this host with --state")) << said;
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(dir + "/manager"));
}

TEST_F(StateFileTest, GoesOnWhereTheKernelDoesNotSay) {
  EXPECT_TRUE(prepare_state_file(dir + "/state.db", [](int) { return std::nullopt; }));
}

TEST_F(StateFileTest, RefusesADirectoryWhereOthersMayWrite) {
  for (const int open : {0770, 0702, 01777}) {
    fs::permissions(dir, fs::perms(open));
    const auto said = refused(dir + "/state.db");
    EXPECT_TRUE(says(said, "chmod go-w " + dir)) << said;
  }
  fs::permissions(dir, fs::perms(0755));
  EXPECT_TRUE(prepare(dir + "/state.db").has_value());
}

TEST_F(StateFileTest, RefusesAForeignDirectoryAndAForeignFile) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  put(dir + "/state.db", "");
  ASSERT_EQ(chown((dir + "/state.db").c_str(), 20002, 20002), 0);
  EXPECT_TRUE(says(refused(dir + "/state.db"), "belongs to another user"));
  ASSERT_EQ(chown(dir.c_str(), 20002, 20002), 0);
  const auto said = refused(dir + "/other.db");
  EXPECT_TRUE(says(said, "its directory " + dir + " belongs to another user")) << said;
  EXPECT_FALSE(fs::exists(dir + "/other.db"));
}

TEST_F(StateFileTest, RefusesWhatIsNoPlainFileOfItsOwn) {
  put(dir + "/thesis", "all of it");
  fs::create_symlink(dir + "/thesis", dir + "/link");
  fs::create_hard_link(dir + "/thesis", dir + "/second");
  fs::create_directory(dir + "/folder");
  ASSERT_EQ(mkfifo((dir + "/pipe").c_str(), 0600), 0);
  EXPECT_TRUE(says(refused(dir + "/link"), "symbolic link"));
  EXPECT_TRUE(says(refused(dir + "/second"), "second name"));
  EXPECT_TRUE(says(refused(dir + "/folder"), "is a directory"));
  EXPECT_TRUE(says(refused(dir + "/pipe"), "not a plain file"));
  EXPECT_TRUE(says(refused(dir + "/"), "names no file"));
  EXPECT_EQ(text(dir + "/thesis"), "all of it");
}

TEST_F(StateFileTest, RefusesADirectoryThatIsAFile) {
  put(dir + "/file", "");
  const auto said = refused(dir + "/file/state.db", Errc::kSystem);
  EXPECT_TRUE(says(said, "Not a directory")) << said;
}

TEST_F(StateFileTest, NamesTheProcessThatHasALock) {
  const std::string path = dir + "/state.db";
  put(path, "x");
  EXPECT_EQ(lock_holder(path), std::nullopt);
  EXPECT_EQ(lock_holder(dir + "/none"), std::nullopt);
  int ready[2];
  int end[2];
  ASSERT_TRUE(pipe(ready) == 0 && pipe(end) == 0);
  const pid_t child = fork();
  if (child == 0) {
    close(end[1]);
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    char byte = fcntl(fd, F_SETLK, &lock) == 0 ? '1' : '0';
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    _exit(read(end[0], &byte, 1) == 0 ? 0 : 1);  // until the test closes its end
  }
  char locked = '0';
  ASSERT_EQ(read(ready[0], &locked, 1), 1);
  EXPECT_EQ(locked, '1');
  EXPECT_EQ(lock_holder(path), child);
  for (const int fd : {ready[0], ready[1], end[0], end[1]}) close(fd);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
}

TEST_F(StateFileTest, TheKernelKnowsTheFileSystem) {
  const UniqueFd fd(open(dir.c_str(), O_RDONLY | O_CLOEXEC));
  const auto type = file_system_of(fd.get());
  ASSERT_TRUE(type.has_value());
  EXPECT_LE(*type, 0xFFFFFFFFu);
  EXPECT_EQ(file_system_of(-1), std::nullopt);
}

}  // namespace
}  // namespace hpc
