// Who may call what: every call of contract 2.4, through the gateway, x who asks x how he says so.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "manager/gateway/api_handler.h"
#include "tests/support/admission_fixture.h"

namespace hpc {
namespace {

using By = Caller::By;

constexpr const char* kUsers[] = {"", "bob", "alice", "root"};  // nobody, wrong, right, admin
constexpr By kKinds[] = {By::kCookie, By::kBearer, By::kHeader};
const std::string kAlices = "00000000000000000000000000000001";
const std::string kMissing = "000000000000000000000000000000ff";

// What becomes of it, in the order of kUsers: "yes" is whatever the call answers to who may make
// it, else the status.
struct Row {
  const char* method;
  std::string target;
  std::array<const char*, 4> want;
};
constexpr std::array<const char*, 4> kOwn = {"401", "yes", "yes", "yes"};
constexpr std::array<const char*, 4> kSessions = {"401", "404", "yes", "yes"};
constexpr std::array<const char*, 4> kAdmins = {"401", "404", "404", "yes"};
constexpr std::array<const char*, 4> kNoMethod = {"401", "405", "405", "405"};
constexpr std::array<const char*, 4> kNoCall = {"401", "404", "404", "404"};

std::vector<Row> rows() {
  const std::string id = "/api/v1/sessions/" + kAlices;
  return {
      {"GET", "/api/v1/sessions", kOwn},
      {"POST", "/api/v1/sessions", kOwn},
      {"DELETE", "/api/v1/sessions", kNoMethod},
      {"GET", id, kSessions},
      {"HEAD", id, kSessions},
      {"DELETE", id, kSessions},
      {"PUT", id, kNoMethod},
      {"GET", id + "/ports", kSessions},
      {"GET", id + "/log", kSessions},
      {"GET", id + "/events", kSessions},
      {"POST", id + "/activate", kSessions},
      {"POST", id + "/extend", kSessions},
      {"GET", id + "/extend", kNoMethod},
      {"GET", id + "/nothing", kNoCall},
      {"GET", "/api/v1/events", kOwn},
      {"GET", "/api/v1/queue", kOwn},
      {"GET", "/api/v1/clusters", kOwn},
      {"GET", "/api/v1/tokens", kOwn},
      {"POST", "/api/v1/tokens", kOwn},
      {"GET", "/api/v1/admin/ports/stats", kAdmins},
      {"POST", "/api/v1/admin/ports/stats", kNoMethod},
      {"GET", "/api/v1/nothing", kNoCall},
  };
}

struct ApiAdmissionTest : AdmissionFixture {
  ApiAdmissionTest() {
    sessions.ports = Sessions::PortReport{};
    const auto alices = sessions.add({"alice", "main", "vscode", 1}).row.id;
    sessions.add({"bob", "main", "vscode", 1});
    events.add_session(alices, "alice");
    build();
  }
  Api& served_api() override { return real; }
  std::string outcome(const RequestHead& head) {
    const auto decision = ask(head);
    const auto* got = std::get_if<LocalAnswer>(&decision);
    if (got == nullptr) return "yes";
    const bool no = got->status == 401 || (got->status >= 403 && got->status <= 405);
    return no ? std::to_string(got->status) : "yes";
  }

  EventLog events{clock};
  ApiHandler real{sessions, events, tokens, clock, [this] { return now; }};
};

TEST_F(ApiAdmissionTest, EveryCallForEverybody) {
  for (const By by : kKinds) {
    identify_by(by);
    for (const Row& row : rows()) {
      for (std::size_t who = 0; who < std::size(kUsers); ++who) {
        for (const bool upgrading : {false, true}) {
          if (upgrading && std::string(row.method) != "GET") continue;
          auto head = from(kUsers[who], by, request(row.method, row.target));
          head.websocket_upgrade = upgrading;
          EXPECT_EQ(outcome(head), row.want[who])
              << row.method << " " << row.target << (upgrading ? " as an upgrade" : "") << " as \""
              << kUsers[who] << "\" by " << name_of(by);
        }
      }
    }
  }
}

TEST_F(ApiAdmissionTest, AForeignSessionIsByteForByteNoSession) {
  for (const By by : kKinds) {
    identify_by(by);
    for (const char* tail : {"", "/ports", "/log", "/events", "/activate", "/extend", "/nothing"}) {
      for (const char* method : {"GET", "HEAD", "POST", "DELETE", "PUT"}) {
        const auto ask_for = [&](const std::string& id) {
          auto head = from("bob", by, request(method, "/api/v1/sessions/" + id + tail));
          std::string all = whole(head);
          head.fields.add("Accept", "text/html");
          head.fields.add("Last-Event-ID", "1");
          all += whole(head);
          head.websocket_upgrade = true;
          return all + whole(head);
        };
        EXPECT_EQ(ask_for(kAlices), ask_for(kMissing)) << method << tail;
      }
    }
  }
}

TEST_F(ApiAdmissionTest, OthersThingsAreNotInAnyList) {
  const auto list = [&](const std::string& user, const std::string& target) {
    return whole(from(user, By::kBearer, request("GET", target)));
  };
  EXPECT_EQ(list("bob", "/api/v1/sessions").find("alice"), std::string::npos);
  EXPECT_NE(list("alice", "/api/v1/sessions").find("alice"), std::string::npos);
  EXPECT_EQ(list("bob", "/api/v1/sessions?all=1").find("alice"), std::string::npos);
  EXPECT_NE(list("root", "/api/v1/sessions?all=1").find("alice"), std::string::npos);
  EXPECT_EQ(list("bob", "/api/v1/sessions?user=alice").find("alice"), std::string::npos);
}

TEST_F(ApiAdmissionTest, WhoTriesAnothersSessionIsWrittenDown) {
  lines.clear();
  outcome(from("bob", By::kBearer, request("DELETE", "/api/v1/sessions/" + kMissing)));
  EXPECT_EQ(lines.find("audit"), std::string::npos) << lines;
  outcome(from("bob", By::kBearer, request("DELETE", "/api/v1/sessions/" + kAlices)));
  EXPECT_NE(lines.find("audit: denied"), std::string::npos) << lines;
  EXPECT_NE(lines.find("alice", lines.find("audit: denied")), std::string::npos) << lines;
  lines.clear();
  outcome(from("root", By::kBearer, request("GET", "/api/v1/sessions/" + kAlices)));
  outcome(from("alice", By::kBearer, request("GET", "/api/v1/sessions/" + kAlices)));
  EXPECT_EQ(lines.find("audit"), std::string::npos) << lines;
}

TEST_F(ApiAdmissionTest, AnotherSitesPageCallsNothing) {
  for (const By by : kKinds) {
    identify_by(by);
    for (const Row& row : rows()) {
      auto head = from("alice", by, request(row.method, row.target));
      head.fields.add("Sec-Fetch-Site", "cross-site");
      head.fields.add("Sec-Fetch-Mode", "cors");
      const auto got = outcome(head);
      if (by == By::kBearer) {
        EXPECT_EQ(got, row.want[2]) << row.method << " " << row.target;
      } else {
        EXPECT_EQ(got, "403") << row.method << " " << row.target;
      }
    }
  }
}

}  // namespace
}  // namespace hpc
