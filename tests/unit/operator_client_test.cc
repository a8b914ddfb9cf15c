#include "manager/operator_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "common/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

/// Both ends of a connection; what the server says lies there before it is asked.
struct OperatorClientTest : testing::Test {
  OperatorClientTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    client.reset(ends[0]);
    server.reset(ends[1]);
  }
  void say(std::string_view text) {
    ASSERT_EQ(send(server.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void close_server() { shutdown(server.get(), SHUT_WR); }
  std::string heard() {
    std::array<char, 4096> buffer{};
    const auto count = recv(server.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    return {buffer.data(), count < 0 ? 0 : static_cast<std::size_t>(count)};
  }
  UniqueFd client, server;
};

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

TEST_F(OperatorClientTest, AsksWithoutABody) {
  say(kAnswer);
  const auto answer = exchange_over(client.get(), {"GET", "/api/v1/queue", ""});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "{}");
  EXPECT_EQ(heard(), "GET /api/v1/queue HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
}

TEST_F(OperatorClientTest, AsksWithABody) {
  say(kAnswer);
  ASSERT_TRUE(exchange_over(client.get(), {"POST", "/x", "{\"a\":1}"}).has_value());
  EXPECT_EQ(heard(),
            "POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
  say(kAnswer);
  ASSERT_TRUE(exchange_over(client.get(), {"POST", "/x", ""}).has_value());
  EXPECT_NE(heard().find("\r\nContent-Length: 0\r\n"), std::string::npos);
}

TEST_F(OperatorClientTest, AnAnswerMayEndWithTheConnectionOrHaveNoBody) {
  say("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nno");
  close_server();
  const auto answer = exchange_over(client.get(), {"GET", "/", ""});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, "no");
}

TEST_F(OperatorClientTest, NoContentIsAnAnswer) {
  say("HTTP/1.1 204 No Content\r\n\r\n");
  const auto answer = exchange_over(client.get(), {"DELETE", "/", ""});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 204);
}

TEST_F(OperatorClientTest, EveryCutOfAnAnswerIsAFailure) {
  for (std::size_t cut = 0; cut < kAnswer.size(); ++cut) {
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    client.reset(ends[0]);
    server.reset(ends[1]);
    if (cut > 0) say(kAnswer.substr(0, cut));
    close_server();
    const auto answer = exchange_over(client.get(), {"GET", "/", ""});
    ASSERT_FALSE(answer.has_value()) << cut;
    EXPECT_EQ(answer.error().code, Errc::kNetwork) << cut;
  }
}

TEST_F(OperatorClientTest, WhatIsNoHttpIsAFailure) {
  say("SSH-2.0-OpenSSH_9.2\r\n\r\n");
  const auto answer = exchange_over(client.get(), {"GET", "/", ""});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Errc::kNetwork);
}

TEST_F(OperatorClientTest, TheReasonOfAnEarlyEndIsRead) {
  say(kAnswer);
  shutdown(server.get(), SHUT_RDWR);
  const auto answer = exchange_over(client.get(), {"POST", "/", std::string(100'000, 'x')});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
}

// --------------------------------------------------------------------------------- streams
constexpr std::string_view kChunks =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";

struct OperatorStreamTest : OperatorClientTest {
  OperatorStream stream{[this](std::string_view piece) {
    taken += piece;
    return taken.size() < enough;
  }};
  Result<std::optional<OperatorAnswer>> ask() {
    return stream_over(client.get(), {"GET", "/x", ""}, stream);
  }
  std::string taken;
  std::size_t enough = 1000;
};

TEST_F(OperatorStreamTest, HandsTheBodyOnAsItComes) {
  say(kChunks);
  const auto answer = ask();
  ASSERT_TRUE(answer.has_value() && answer->has_value());
  EXPECT_EQ((*answer)->status, 200);
  EXPECT_EQ((*answer)->body, "");
  EXPECT_EQ(taken, "onetwo");
}

TEST_F(OperatorStreamTest, EnoughIsEnough) {
  say(kChunks.substr(0, kChunks.size() - 5));  // its end never comes
  enough = 4;
  const auto answer = ask();
  ASSERT_TRUE(answer.has_value());
  EXPECT_FALSE(answer->has_value());
  EXPECT_EQ(taken, "onetwo");
}

TEST_F(OperatorStreamTest, ARefusalIsAnAnswer) {
  say("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  const auto answer = ask();
  ASSERT_TRUE(answer.has_value() && answer->has_value());
  EXPECT_EQ((*answer)->status, 404);
  EXPECT_EQ((*answer)->body, "no");
  EXPECT_EQ(taken, "");
}

TEST_F(OperatorStreamTest, EndsWhenItsDescriptorSaysSo) {
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(pipe(pipe_ends.data()), 0);
  const UniqueFd reads(pipe_ends[0]);
  const UniqueFd writes(pipe_ends[1]);
  stream.stop_descriptor = reads.get();
  ASSERT_EQ(write(writes.get(), "x", 1), 1);
  const auto answer = ask();
  ASSERT_TRUE(answer.has_value());
  EXPECT_FALSE(answer->has_value());
}

TEST_F(OperatorStreamTest, ACutStreamIsAFailure) {
  say(kChunks.substr(0, kChunks.size() - 5));
  close_server();
  const auto answer = ask();
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Errc::kNetwork);
  EXPECT_EQ(taken, "onetwo");
}

using OperatorSocketPathTest = TempDirFixture;

TEST_F(OperatorSocketPathTest, SaysWhatToDoWhereNothingListens) {
  const auto path = dir + "/socket";
  const auto answer = ask_operator_socket(path, {"GET", "/", ""});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Errc::kNotFound);
  EXPECT_NE(answer.error().detail.find(path), std::string::npos);
  EXPECT_NE(answer.error().detail.find("--socket"), std::string::npos);
}

TEST_F(OperatorSocketPathTest, AskedForAPathThatCannotBe) {
  EXPECT_EQ(ask_operator_socket("", {}).error().code, Errc::kConfig);
  EXPECT_EQ(ask_operator_socket("/" + std::string(107, 'x'), {}).error().code, Errc::kConfig);
  EXPECT_NE(ask_operator_socket("/" + std::string(106, 'x'), {}).error().code, Errc::kConfig);
}

}  // namespace
}  // namespace hpc
