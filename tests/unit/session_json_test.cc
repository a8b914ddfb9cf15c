#include "manager/session/session_json.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

SessionInfo running() {
  SessionInfo info;
  info.row.id = "3f2a";
  info.row.key = {"alice", "main", "vscode", 2};
  info.row.state = SessionState::kRunning;
  info.row.reason = "the tunnel is up";
  info.row.job_id = "4711";
  info.row.node = "c1";
  info.row.created_at = 1'772'366'400'000;
  info.row.started_at = 1'772'366'401'000;
  info.row.ends_at = 1'772'370'000'000;
  info.row.last_activity = 1'772'366'402'250;
  info.url = "https://hpc.example.org/user/alice/main/vscode~2/";
  info.local_port = 9000;
  info.queue_position = 3;
  return info;
}

TEST(SessionJsonTest, HasTheMembersOfTheContractInTheirOrder) {
  EXPECT_EQ(session_json(running()),
            R"({"id":"3f2a","key":"alice-main-vscode~2","user":"alice","cluster":"main",)"
            R"("ide":"vscode","slot":2,"state":"running","reason":"the tunnel is up",)"
            R"("job_id":"4711","node":"c1",)"
            R"("url":"https://hpc.example.org/user/alice/main/vscode~2/","local_port":9000,)"
            R"("queue_position":3,"created_at":"2026-03-01T12:00:00.000Z",)"
            R"("started_at":"2026-03-01T12:00:01.000Z","ends_at":"2026-03-01T13:00:00.000Z",)"
            R"("last_activity":"2026-03-01T12:00:02.250Z"})");
}

TEST(SessionJsonTest, WhatIsNotKnownIsNull) {
  SessionInfo info;
  info.row.id = "1";
  info.row.key = {"a", "b", "c", 1};
  EXPECT_EQ(session_json(info),
            R"({"id":"1","key":"a-b-c","user":"a","cluster":"b","ide":"c","slot":1,)"
            R"("state":"queued","reason":null,"job_id":null,"node":null,"url":null,)"
            R"("local_port":null,"queue_position":null,)"
            R"("created_at":"1970-01-01T00:00:00.000Z","started_at":null,"ends_at":null,)"
            R"("last_activity":null})");
}

TEST(SessionJsonTest, TextFromAfarStaysOneLineOfJson) {
  auto info = running();
  info.row.reason = "a \"b\"\n\x1B]0;x\x07\xFF";
  const auto text = session_json(info);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto value = parse_json(text);
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(json_text(value->get(), "reason"), "a \"b\"\n\xEF\xBF\xBD]0;x\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace hpc
