#include "common/unix_stream.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "tests/support/stream_contract.h"

namespace hpc {
namespace {

/// A private directory with a listening socket in it.
class UnixApp {
 public:
  UnixApp() {
    std::string name = "/tmp/hpc-unix.XXXXXX";
    directory = mkdtemp(name.data());
    path = directory + "/app.sock";
    listener = listen_at(path, 16);
  }
  ~UnixApp() {
    if (listener >= 0) close(listener);
    std::filesystem::remove_all(directory);
  }
  UnixApp(const UnixApp&) = delete;
  UnixApp& operator=(const UnixApp&) = delete;

  static int listen_at(const std::string& where, int backlog) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    where.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd, backlog), 0);
    return fd;
  }
  std::unique_ptr<UnixStream> accept_on(Loop& loop) const {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return nullptr;
    auto raw = std::make_unique<uv_pipe_t>();
    uv_pipe_init(loop.uv(), raw.get(), 0);
    UvPtr<uv_pipe_t> handle(raw.release());
    uv_pipe_open(handle.get(), fd);
    return std::make_unique<UnixStream>(loop, std::move(handle));
  }

  std::string directory;
  std::string path;
  int listener = -1;
};

class UnixEnvironment final : public StreamEnvironment {
 public:
  Loop& loop() override { return loop_; }
  StreamPair connect() override {
    StreamPair pair;
    const auto pending = connect_unix(loop_, app_.path, geteuid(), 5000,
                                      [&pair](auto result) { pair.ours = std::move(*result); });
    run_until(loop_, [&] {
      if (!pair.theirs) pair.theirs = app_.accept_on(loop_);
      return pair.ours && pair.theirs;
    });
    return pair;
  }
  bool abort_is_seen_as_failure() const override { return false; }

 private:
  Loop loop_;
  UnixApp app_;
};

std::unique_ptr<StreamEnvironment> make_unix() { return std::make_unique<UnixEnvironment>(); }

INSTANTIATE_TEST_SUITE_P(Unix, StreamContractTest,
                         ::testing::Values(StreamKind{"unix", &make_unix}));

struct UnixConnectTest : LoopFixture {
  std::optional<Error> connect_error(const std::string& path, std::uint32_t uid = geteuid(),
                                     std::uint64_t timeout_ms = 5000) {
    std::optional<Error> error;
    bool connected = false;
    const auto pending = connect_unix(loop, path, uid, timeout_ms, [&](auto result) {
      connected = result.has_value();
      if (!result) error = result.error();
    });
    EXPECT_FALSE(error || connected) << "only in a later turn";
    wait_for([&] { return error || connected; });
    return error;
  }
  Errc code(const std::string& path, std::uint32_t uid = geteuid()) {
    const auto error = connect_error(path, uid);
    EXPECT_TRUE(error) << path << " was let through";
    return error ? error->code : Errc::kSystem;
  }
  UnixApp app;
};

TEST_F(UnixConnectTest, OwnSocketInAPrivateDirectory) { EXPECT_FALSE(connect_error(app.path)); }

TEST_F(UnixConnectTest, NothingThereIsRefused) {
  EXPECT_EQ(code(app.directory + "/other.sock"), Errc::kRefused);
  EXPECT_EQ(code(app.directory + "/none/app.sock"), Errc::kRefused);
  EXPECT_EQ(code(app.path + "/below"), Errc::kRefused);
  close(std::exchange(app.listener, -1));
  EXPECT_EQ(code(app.path), Errc::kRefused);
}

TEST_F(UnixConnectTest, DirectoryThatOthersMayWriteToIsForbidden) {
  for (const mode_t mode : {0720U, 0702U, 01777U}) {
    ASSERT_EQ(chmod(app.directory.c_str(), mode), 0);
    EXPECT_EQ(code(app.path), Errc::kForbidden) << std::oct << mode;
  }
  ASSERT_EQ(chmod(app.directory.c_str(), 0755), 0);
  EXPECT_FALSE(connect_error(app.path)) << "to read is no harm";
}

TEST_F(UnixConnectTest, AnotherUsersIsForbidden) {
  EXPECT_EQ(code(app.path, geteuid() + 1), Errc::kForbidden);
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  ASSERT_EQ(chown(app.path.c_str(), 20002, 20002), 0);
  EXPECT_EQ(code(app.path), Errc::kForbidden) << "the socket's file";
  ASSERT_EQ(chown(app.path.c_str(), 20002, 20002), 0);
  ASSERT_EQ(chown(app.directory.c_str(), 20002, 20002), 0);
  const auto error = connect_error(app.path, 20002);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::kForbidden) << "all files are theirs, but root listens";
}

TEST_F(UnixConnectTest, SymbolicLinksAreForbidden) {
  std::filesystem::create_symlink(app.path, app.directory + "/link.sock");
  EXPECT_EQ(code(app.directory + "/link.sock"), Errc::kForbidden);
  const std::string link = app.directory + "/link";
  std::filesystem::create_directory_symlink(app.directory, link);
  EXPECT_EQ(code(link + "/app.sock"), Errc::kForbidden);
}

TEST_F(UnixConnectTest, WhatIsNoSocketIsForbidden) {
  std::filesystem::create_directory(app.directory + "/folder");
  EXPECT_EQ(code(app.directory + "/folder"), Errc::kForbidden);
}

TEST_F(UnixConnectTest, PathsAtTheLimitAndPastIt) {
  const std::string longest =
      app.directory + "/" + std::string(kUnixPathBytesMax - app.directory.size() - 1, 'a');
  const int fd = UnixApp::listen_at(longest, 1);
  EXPECT_FALSE(connect_error(longest));
  close(fd);
  EXPECT_EQ(code(longest + "a"), Errc::kBadRequest);
  EXPECT_EQ(code("app.sock"), Errc::kBadRequest);
  EXPECT_EQ(code(""), Errc::kBadRequest);
}

TEST_F(UnixConnectTest, FullQueueIsWaitedFor) {
  const std::string path = app.directory + "/busy.sock";
  const int fd = UnixApp::listen_at(path, 0);
  std::unique_ptr<Stream> first;
  auto pending =
      connect_unix(loop, path, geteuid(), 5000, [&](auto result) { first = std::move(*result); });
  ASSERT_TRUE(wait_for([&] { return first != nullptr; }));
  const auto error = connect_error(path, geteuid(), 0);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::kTimeout);
  std::unique_ptr<Stream> second;
  pending =
      connect_unix(loop, path, geteuid(), 5000, [&](auto result) { second = std::move(*result); });
  settle(loop);
  EXPECT_FALSE(second);
  const int accepted = accept(fd, nullptr, nullptr);
  EXPECT_TRUE(wait_for([&] { return second != nullptr; }));
  close(accepted);
  close(fd);
}

TEST_F(UnixConnectTest, CancelledConnectNeverCallsBack) {
  bool called = false;
  auto pending = connect_unix(loop, app.path, geteuid(), 5000, [&called](auto) { called = true; });
  pending.reset();
  settle(loop);
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace hpc
