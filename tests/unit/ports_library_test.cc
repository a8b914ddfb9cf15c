#include "node-proxy/run/ports_library.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "common/unique_fd.h"
#include "node-proxy/run/ports_image.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

namespace fs = std::filesystem;

// As root, what belongs to this user is somebody else's.
constexpr uid_t kOtherUid = 20002;

struct PortsLibraryTest : TempDirFixture {
  PortsLibraryTest() {
    for (const char* name : {"/bin", "/lib", "/run"}) {
      fs::create_directory(dir + name);
      chmod((dir + name).c_str(), 0700);
    }
    beside = dir + "/bin/libhpc_ports.so";
    unpacked = dir + "/run/libhpc_ports.so";
  }
  void put_library(const std::string& path) {
    put(path, std::string(ports_image()));
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  }
  std::string placed(const std::string& program = "/bin/hpc-proxy") {
    const auto path = place_ports_library(dir + program, dir + "/run");
    return path ? *path : describe(path.error());
  }
  std::string beside, unpacked;
};

TEST_F(PortsLibraryTest, TheImageIsAProgramFileOfModestSize) {
  EXPECT_EQ(ports_image().substr(0, 4),
            "\x7f"
            "ELF");
  EXPECT_LE(ports_image().size(), 24u * 1024);
}

TEST_F(PortsLibraryTest, IsUnpackedWhereThereIsNoneBesideTheProgram) {
  EXPECT_EQ(placed(), unpacked);
  EXPECT_EQ(text(unpacked), ports_image());
  EXPECT_EQ(mode(unpacked), 0600);
}

TEST_F(PortsLibraryTest, IsTakenFromBesideTheProgram) {
  put_library(beside);
  EXPECT_EQ(placed(), beside);
  EXPECT_FALSE(fs::exists(unpacked));
}

TEST_F(PortsLibraryTest, IsTakenFromTheLibDirectoryBesideTheProgramsOwn) {
  put_library(dir + "/lib/libhpc_ports.so");
  EXPECT_EQ(placed(), dir + "/bin/../lib/libhpc_ports.so");
}

TEST_F(PortsLibraryTest, OneThatOthersMayWriteIsNotUsed) {
  for (const mode_t bits : {mode_t{0775}, mode_t{0757}}) {
    put_library(beside);
    ASSERT_EQ(chmod(beside.c_str(), bits), 0);
    EXPECT_EQ(placed(), unpacked) << bits;
  }
}

TEST_F(PortsLibraryTest, OneInADirectoryThatOthersMayWriteIsNotUsed) {
  put_library(beside);
  for (const mode_t bits : {mode_t{0770}, mode_t{0707}, mode_t{01777}}) {
    ASSERT_EQ(chmod((dir + "/bin").c_str(), bits), 0);
    EXPECT_EQ(placed(), unpacked) << bits;
  }
}

TEST_F(PortsLibraryTest, OneOfAnotherUserIsNotUsed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  put_library(beside);
  ASSERT_EQ(chown(beside.c_str(), kOtherUid, 0), 0);
  EXPECT_EQ(placed(), unpacked);
  put_library(beside);
  ASSERT_EQ(chown(beside.c_str(), 0, 0), 0);
  ASSERT_EQ(chown((dir + "/bin").c_str(), kOtherUid, 0), 0);
  EXPECT_EQ(placed(), unpacked);
}

TEST_F(PortsLibraryTest, ALinkToOneIsNotUsed) {
  put_library(dir + "/bin/real.so");
  fs::create_symlink(dir + "/bin/real.so", beside);
  EXPECT_EQ(placed(), unpacked);
}

TEST_F(PortsLibraryTest, OneWithOtherBytesIsNotUsed) {
  const std::string image(ports_image());
  std::string changed = image;
  changed.back() ^= 1;
  for (const std::string& other :
       {changed, image + '\0', image.substr(0, image.size() - 1), std::string()}) {
    put(beside, other);
    EXPECT_EQ(placed(), unpacked) << other.size();
  }
}

TEST_F(PortsLibraryTest, APipeInItsPlaceIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(beside.c_str(), 0600), 0);
  EXPECT_EQ(placed(), unpacked);
}

TEST_F(PortsLibraryTest, APathThatPreloadCannotNameIsPassedOver) {
  for (const char* name : {"/a b", "/a:b", "/a$b"}) {
    fs::create_directory(dir + name);
    chmod((dir + name).c_str(), 0700);
    put_library(dir + name + "/libhpc_ports.so");
    EXPECT_EQ(placed(std::string(name) + "/hpc-proxy"), unpacked);
    const auto path = place_ports_library("", dir + name);
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().code, Errc::kSystem);
    EXPECT_NE(describe(path.error()).find("LD_PRELOAD cannot name"), std::string::npos);
  }
}

TEST_F(PortsLibraryTest, WhatIsInTheWayOfTheUnpackedOneIsReplacedAndNotFollowed) {
  put(dir + "/target", "precious");
  fs::create_symlink(dir + "/target", unpacked);
  EXPECT_EQ(placed(), unpacked);
  EXPECT_EQ(text(dir + "/target"), "precious");
  EXPECT_EQ(text(unpacked), ports_image());
}

TEST_F(PortsLibraryTest, WithoutAnyPlaceTheDirectoryIsNamed) {
  const auto path = place_ports_library("hpc-proxy", dir + "/none");
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code, Errc::kSystem);
  EXPECT_EQ(describe(path.error()), dir + "/none: cannot be opened: No such file or directory");
}

TEST_F(PortsLibraryTest, AFileSystemWithoutProgramsIsNamedWithTheNextStep) {
  const std::string run = dir + "/run";
  if (mount("none", run.c_str(), "tmpfs", MS_NOEXEC, "size=64k") != 0) {
    GTEST_SKIP() << "cannot mount";
  }
  const auto path = place_ports_library(dir + "/bin/hpc-proxy", run);
  umount2(run.c_str(), MNT_DETACH);
  ASSERT_FALSE(path);
  EXPECT_EQ(describe(path.error()),
            run +
                ": no program may be run from this file system (noexec); install libhpc_ports.so "
                "beside hpc-proxy, or name another directory with --state-dir, or use --private "
                "off");
}

TEST_F(PortsLibraryTest, OneBesideTheProgramOnSuchAFileSystemIsPassedOver) {
  const std::string bin = dir + "/bin";
  if (mount("none", bin.c_str(), "tmpfs", MS_NOEXEC, "size=64k,mode=700") != 0) {
    GTEST_SKIP() << "cannot mount";
  }
  put_library(beside);
  const std::string path = placed();
  umount2(bin.c_str(), MNT_DETACH);
  EXPECT_EQ(path, unpacked);
}

std::vector<std::string> settings(const char* preload, const std::string& shared,
                                  const char* sbatch_export = "NONE") {
  const PrivateAddresses addresses{"127.64.9.4", "127.64.9.5", UniqueFd()};
  return ports_library_environment("/run/libhpc_ports.so", addresses, shared,
                                   [=](const char* name) -> std::optional<std::string> {
                                     const std::string_view wanted = name;
                                     const char* value = wanted == "LD_PRELOAD"      ? preload
                                                         : wanted == "SBATCH_EXPORT" ? sbatch_export
                                                                                     : nullptr;
                                     if (value == nullptr) return std::nullopt;
                                     return value;
                                   });
}

TEST(PortsLibraryEnvironmentTest, NamesTheLibraryTheAddressAndTheSharedPorts) {
  EXPECT_EQ(
      settings(nullptr, "8786-8787,29500"),
      (std::vector<std::string>{"LD_PRELOAD=/run/libhpc_ports.so", "HPC_PORTS_ADDRESS=127.64.9.4",
                                "HPC_PORTS_SHARED=8786-8787,29500"}));
}

TEST(PortsLibraryEnvironmentTest, NoSharedPortsReplaceThoseOfARunAround) {
  EXPECT_EQ(settings(nullptr, "")[2], "HPC_PORTS_SHARED=");
}

struct PreloadCase {
  const char* before;
  const char* after;
};

TEST(PortsLibraryEnvironmentTest, WithoutTheLibraryThatOfARunAroundIsTakenAway) {
  const auto of = [](std::map<std::string, std::string> variables) {
    return no_ports_library_environment([&](const char* name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      if (found == variables.end()) return std::nullopt;
      return found->second;
    });
  };
  using Settings = std::vector<std::string>;
  EXPECT_EQ(of({}), Settings());
  EXPECT_EQ(of({{"LD_PRELOAD", "liba.so"}, {"HPC_PORTS_ADDRESS", ""}}), Settings());
  EXPECT_EQ(of({{"LD_PRELOAD", "/outer/libhpc_ports.so:liba.so"}, {"HPC_PORTS_ADDRESS", "x"}}),
            (Settings{"LD_PRELOAD=liba.so", "HPC_PORTS_ADDRESS=", "HPC_PORTS_SHARED="}));
  EXPECT_EQ(of({{"LD_PRELOAD", "/outer/libhpc_ports.so"}, {"HPC_PORTS_ADDRESS", "x"}}),
            (Settings{"LD_PRELOAD=", "HPC_PORTS_ADDRESS=", "HPC_PORTS_SHARED="}));
}

TEST(PortsLibraryEnvironmentTest, WhatWasPreloadedStaysBehindIt) {
  constexpr PreloadCase kCases[] = {
      {"", "/run/libhpc_ports.so"},
      {"/usr/lib/liba.so", "/run/libhpc_ports.so:/usr/lib/liba.so"},
      {"liba.so:libb.so", "/run/libhpc_ports.so:liba.so:libb.so"},
      {"liba.so libb.so", "/run/libhpc_ports.so:liba.so:libb.so"},
      {" :liba.so::", "/run/libhpc_ports.so:liba.so"},
      // The library of a run around this one: two would move twice.
      {"/outer/libhpc_ports.so", "/run/libhpc_ports.so"},
      {"/outer/libhpc_ports.so:liba.so", "/run/libhpc_ports.so:liba.so"},
      {"liba.so libhpc_ports.so", "/run/libhpc_ports.so:liba.so"},
      {"/a/my_libhpc_ports.so", "/run/libhpc_ports.so:/a/my_libhpc_ports.so"},
      {"/libhpc_ports.so/liba.so", "/run/libhpc_ports.so:/libhpc_ports.so/liba.so"},
  };
  for (const PreloadCase& c : kCases) {
    EXPECT_EQ(settings(c.before, "")[0], std::string("LD_PRELOAD=") + c.after) << c.before;
  }
}

struct SbatchCase {
  const char* preload;
  const char* before;
  const char* after;  // nullptr: no setting
};

TEST(PortsLibraryEnvironmentTest, SbatchHandsOnNothingOfIt) {
#define NOT_OURS ",HPC_PORTS_ADDRESS=,HPC_PORTS_SHARED=,HPC_PROXY_RUN="
  constexpr SbatchCase kCases[] = {
      {nullptr, nullptr, "ALL,LD_PRELOAD=" NOT_OURS ",SBATCH_EXPORT=ALL"},
      {nullptr, "", "ALL,LD_PRELOAD=" NOT_OURS ",SBATCH_EXPORT=ALL"},
      {nullptr, "ALL", "ALL,LD_PRELOAD=" NOT_OURS ",SBATCH_EXPORT=ALL"},
      {"a.so b.so", nullptr, "ALL,LD_PRELOAD=a.so:b.so" NOT_OURS ",SBATCH_EXPORT=ALL"},
      {"a,b.so", nullptr, "ALL,LD_PRELOAD=" NOT_OURS ",SBATCH_EXPORT=ALL"},
      {"a'.so", nullptr, "ALL,LD_PRELOAD=" NOT_OURS ",SBATCH_EXPORT=ALL"},
      {nullptr, "ALL,X=1", "ALL,X=1,LD_PRELOAD=" NOT_OURS ",SBATCH_EXPORT=ALL"},
      // What is handed on then does not hold it, or a run around this one has said so.
      {nullptr, "NONE", nullptr},
      {nullptr, "NIL", nullptr},
      {nullptr, "PATH,HOME", nullptr},
      {nullptr, "ALLES", nullptr},
      {nullptr, "ALL,LD_PRELOAD=" NOT_OURS ",SBATCH_EXPORT=ALL", nullptr},
  };
#undef NOT_OURS
  for (const SbatchCase& c : kCases) {
    const auto list = settings(c.preload, "", c.before);
    ASSERT_EQ(list.size(), c.after == nullptr ? 3U : 4U) << c.before;
    if (c.after == nullptr) continue;
    EXPECT_EQ(list[3], std::string("SBATCH_EXPORT=") + c.after);
  }
}

}  // namespace
}  // namespace hpc
