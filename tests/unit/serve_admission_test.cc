// Who gets where: every route x who asks x method x how he says who he is.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "tests/support/admission_fixture.h"

namespace hpc {
namespace {

using By = Caller::By;

constexpr const char* kUsers[] = {"", "bob", "alice", "root"};  // nobody, wrong, right, admin
constexpr By kKinds[] = {By::kCookie, By::kBearer, By::kHeader};

// What becomes of it, in the order of kUsers: "go" is forwarded, "api" goes to the API, "own" is
// answered by a page for whoever is logged in, "none" is the one answer for what does not exist,
// else the status.
struct Row {
  const char* target;
  std::array<const char*, 4> get;
  std::array<const char*, 4> change;   // POST and DELETE
  std::array<const char*, 4> upgrade;  // to a WebSocket
};

constexpr std::array<const char*, 4> kOk = {"200", "200", "200", "200"};
constexpr std::array<const char*, 4> kNo = {"none", "none", "none", "none"};
constexpr std::array<const char*, 4> k405 = {"405", "405", "405", "405"};
constexpr std::array<const char*, 4> kApiCall = {"api", "api", "api", "api"};
constexpr std::array<const char*, 4> kOwn = {"401", "own", "own", "own"};
constexpr std::array<const char*, 4> kGo = {"401", "none", "go", "none"};
constexpr std::array<const char*, 4> kSlash = {"401", "none", "308", "none"};
constexpr std::array<const char*, 4> kGone = {"401", "none", "410", "none"};
constexpr std::array<const char*, 4> kHide = {"401", "none", "none", "none"};
// The active session is alice's; the others have none, which is no secret from themselves.
constexpr std::array<const char*, 4> kShort = {"401", "own", "307", "own"};
constexpr std::array<const char*, 4> kShortUpgrade = {"401", "own", "go", "own"};

const Row kRows[] = {
    {"/healthz", kOk, k405, kOk},
    {"/readyz", kOk, k405, kOk},
    {"/metrics", kNo, kNo, kNo},
    {"/nothing", kNo, kNo, kNo},
    {"/user/alice/main/vscode/port/0/", kNo, kNo, kNo},
    {"/", kOwn, kOwn, kOwn},
    {"/logout", kOwn, kOwn, kOwn},
    {"/port/5500/x", kShort, kShort, kShortUpgrade},
    {"/port/5500", kShort, kShort, kShortUpgrade},
    {"/absport/5500/x", kShort, kShort, kShortUpgrade},
    {"/user/alice/main/vscode", kSlash, kSlash, kGo},
    {"/user/alice/main/vscode/", kGo, kGo, kGo},
    {"/user/alice/main/vscode/x?y", kGo, kGo, kGo},
    {"/user/alice/main/vscode/ports", kGo, kGo, kGo},
    {"/user/alice/main/vscode/port/5500", kSlash, kSlash, kGo},
    {"/user/alice/main/vscode/port/5500/x", kGo, kGo, kGo},
    {"/user/alice/main/vscode/absport/5500/x", kGo, kGo, kGo},
    {"/user/alice/main/vscode~2/", kHide, kHide, kHide},
    {"/user/alice/main/jupyter/", kGone, kGone, kGone},
    {"/user/alice/main/jupyter/port/5500/", kGone, kGone, kGone},
    {"/user/alice/nowhere/vscode/", kHide, kHide, kHide},
    {"/api/v1", kApiCall, kApiCall, kApiCall},
    {"/api/v1/sessions", kApiCall, kApiCall, kApiCall},
    {"/api/v1/sessions/00000000000000000000000000000001", kApiCall, kApiCall, kApiCall},
    {"/api/v1/sessions/00000000000000000000000000000001/events", kApiCall, kApiCall, kApiCall},
    {"/api/v1/sessions/00000000000000000000000000000001/activate", kApiCall, kApiCall, kApiCall},
    {"/api/v1/events", kApiCall, kApiCall, kApiCall},
    {"/api/v1/queue", kApiCall, kApiCall, kApiCall},
    {"/api/v1/clusters", kApiCall, kApiCall, kApiCall},
    {"/api/v1/admin/ports/stats", kApiCall, kApiCall, kApiCall},
};

struct ServeAdmissionTest : AdmissionFixture {
  ServeAdmissionTest() {
    const auto running = sessions.add({"alice", "main", "vscode", 1}).row.id;
    sessions.set_active(running);
    auto& ended = sessions.add({"alice", "main", "jupyter", 1}, SessionState::kEnded);
    ended.row.ended_at = now;
    ended.row.reason = "the job ended";
  }
  std::string outcome(const RequestHead& head) {
    auto decision = ask(head);
    if (std::get_if<Forward>(&decision) != nullptr) return "go";
    if (std::get_if<Serve>(&decision) != nullptr) return "own";
    const auto& got = std::get<LocalAnswer>(decision);
    const bool own_page = head.target == "/" || head.target == "/logout" ||
                          (got.status == 404 && got.body.find("active") != std::string::npos);
    if (got.status == 401) {
      EXPECT_EQ(value_of(got, "WWW-Authenticate"), "Bearer") << head.target;
      return "401";
    }
    if (got.status == 299) return "api";
    if (own_page) return "own";
    return got.status == 404 ? "none" : std::to_string(got.status);
  }
};

TEST_F(ServeAdmissionTest, EveryRouteForEverybody) {
  for (const By by : kKinds) {
    identify_by(by);
    for (const Row& row : kRows) {
      for (std::size_t who = 0; who < std::size(kUsers); ++who) {
        const auto is = [&](RequestHead head, const char* want, const char* what) {
          EXPECT_EQ(outcome(from(kUsers[who], by, std::move(head))), want)
              << what << " " << row.target << " as \"" << kUsers[who] << "\" by " << name_of(by);
        };
        is(request("GET", row.target), row.get[who], "GET");
        is(request("POST", row.target), row.change[who], "POST");
        // The two pages with a form take no DELETE; it is theirs to say so.
        is(request("DELETE", row.target), row.change[who], "DELETE");
        is(upgrade(row.target), row.upgrade[who], "Upgrade");
      }
    }
  }
}

TEST_F(ServeAdmissionTest, AForeignSessionIsByteForByteNoSession) {
  const char* const tails[] = {"",          "/",          "/x?y",        "/ports", "/port/5500",
                               "/port/1/x", "/absport/1", "/absport/1/", "?q"};
  const char* const nowhere[] = {"/user/alice/main/other", "/user/alice/nowhere/vscode",
                                 "/user/alice/main/vscode~2", "/user/nosuch/main/vscode"};
  for (const By by : kKinds) {
    identify_by(by);
    for (const char* who : {"bob", "root"}) {
      for (const std::string tail : tails) {
        for (const char* method : {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}) {
          const auto ask_for = [&](const std::string& base) {
            auto head = from(who, by, request(method, base + tail));
            std::string all = whole(head);
            head.fields.add("Accept", "text/html");
            all += whole(head);
            head.websocket_upgrade = true;
            return all + whole(head);
          };
          const auto foreign = ask_for("/user/alice/main/vscode");
          EXPECT_EQ(foreign.substr(0, 3), "404");
          EXPECT_EQ(ask_for("/user/alice/main/jupyter"), foreign) << "an ended one";
          for (const char* base : nowhere) EXPECT_EQ(ask_for(base), foreign) << base;
          EXPECT_EQ(ask_for(std::string("/user/") + who + "/main/vscode"), foreign)
              << "not even his own that does not exist is another answer";
        }
      }
    }
  }
}

TEST_F(ServeAdmissionTest, NobodyLearnsWhetherThereIsASession) {
  for (const bool navigation : {false, true}) {
    const auto ask_for = [&](const std::string& target) {
      auto text = whole(navigation ? page(target) : request("GET", target));
      for (auto at = text.find(target); at != std::string::npos; at = text.find(target)) {
        text.erase(at, target.size());  // the login page leads back to it
      }
      return text;
    };
    EXPECT_EQ(ask_for("/user/alice/main/vscode/"), ask_for("/user/alice/main/nothing/"));
    EXPECT_EQ(ask_for("/user/alice/main/vscode/").substr(0, 3), "401");
  }
}

TEST_F(ServeAdmissionTest, ADenialIsWrittenDownWithWhoAndWhose) {
  whole(from("bob", By::kBearer, request("GET", "/user/alice/main/vscode/?secret=1")));
  EXPECT_NE(lines.find("audit: denied"), std::string::npos);
  for (const char* word : {"bob", "alice", "user", "127.0.0.1"}) {
    EXPECT_NE(lines.find(word, lines.find("audit: denied")), std::string::npos) << word;
  }
  EXPECT_EQ(lines.find("secret"), std::string::npos) << lines;
  EXPECT_EQ(lines.find("hpm_"), std::string::npos) << lines;
}

// ------------------------------------------------------------------------------ other sites' pages
struct SiteCase {
  const char* name;
  const char* host;
  std::vector<std::pair<const char*, const char*>> fields;
  bool upgrade;
  bool passes;  // for what a browser adds by itself
};

std::vector<SiteCase> site_cases() {
  const char* ours = "127.0.0.1:8000";
  return {
      {"no browser", ours, {}, false, true},
      {"no browser, upgrade", ours, {}, true, true},
      {"our own page", ours, {{"Sec-Fetch-Site", "same-origin"}}, false, true},
      {"typed", ours, {{"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Mode", "navigate"}}, false, true},
      {"a link elsewhere",
       ours,
       {{"Sec-Fetch-Site", "cross-site"},
        {"Sec-Fetch-Mode", "navigate"},
        {"Sec-Fetch-Dest", "document"}},
       false,
       true},
      {"a frame elsewhere",
       ours,
       {{"Sec-Fetch-Site", "cross-site"},
        {"Sec-Fetch-Mode", "navigate"},
        {"Sec-Fetch-Dest", "iframe"}},
       false,
       false},
      {"a script elsewhere", ours, {{"Sec-Fetch-Site", "cross-site"}}, false, false},
      {"a sister host", ours, {{"Sec-Fetch-Site", "same-site"}}, false, false},
      {"a form elsewhere, old browser", ours, {{"Origin", "https://evil.example"}}, false, false},
      {"a sandboxed frame", ours, {{"Origin", "null"}}, false, false},
      {"our own socket", ours, {{"Origin", "http://127.0.0.1:8000"}}, true, true},
      {"a socket elsewhere", ours, {{"Origin", "https://evil.example"}}, true, false},
      {"a socket of another port", ours, {{"Origin", "http://127.0.0.1:8001"}}, true, false},
      {"a socket elsewhere that claims our site",
       ours,
       {{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "same-origin"}},
       true,
       false},
      {"DNS rebinding", "evil.example:8000", {{"Sec-Fetch-Site", "same-origin"}}, false, false},
      {"DNS rebinding, upgrade",
       "evil.example:8000",
       {{"Origin", "http://evil.example:8000"}},
       true,
       false},
  };
}

TEST_F(ServeAdmissionTest, AnotherSitesPageGetsNothingByWhatTheBrowserAdds) {
  for (const By by : kKinds) {
    identify_by(by);
    for (const auto& row : site_cases()) {
      for (const char* target : {"/user/alice/main/vscode/x", "/port/5500/", "/"}) {
        auto head = request("GET", target);
        head.host = row.host;
        head.websocket_upgrade = row.upgrade;
        for (const auto& [name, value] : row.fields) head.fields.add(name, value);
        const auto got = outcome(from("alice", by, head));
        const bool let_in = row.passes || by == By::kBearer;
        // "/" counts as answered by its page, whatever the page says: look at the status.
        const bool refused = got == "403" || whole(from("alice", by, head)).starts_with("403");
        EXPECT_EQ(refused, !let_in) << row.name << " by " << name_of(by) << " at " << target;
      }
      auto call = request("GET", "/api/v1/sessions");
      call.host = row.host;
      call.websocket_upgrade = row.upgrade;
      for (const auto& [name, value] : row.fields) call.fields.add(name, value);
      api.asked.clear();
      outcome(from("alice", by, call));
      ASSERT_EQ(api.asked.size(), 1U);
      EXPECT_EQ(api.asked.front().ends_with(" !"), !row.passes) << row.name << ": the API is told";
    }
  }
}

TEST_F(ServeAdmissionTest, WithAPublicUrlOnlyItsNameIsOurs) {
  options.public_url = PublicUrl{"https", "hpc.example.org"};
  build();
  const auto status = [&](const char* host, const char* origin) {
    auto head = from("alice", By::kCookie, request("GET", "/user/alice/main/vscode/"));
    head.host = host;
    if (*origin != '\0') head.fields.add("Origin", origin);
    return outcome(head);
  };
  EXPECT_EQ(status("hpc.example.org", ""), "go");
  EXPECT_EQ(status("hpc.example.org:443", "https://hpc.example.org"), "go");
  EXPECT_EQ(status("hpc.example.org", "http://hpc.example.org"), "403");
  EXPECT_EQ(status("127.0.0.1:8000", ""), "403");
  EXPECT_EQ(status("localhost", ""), "403");
  EXPECT_EQ(status("hpc.example.org.evil.example", ""), "403");
}

TEST_F(ServeAdmissionTest, NoPageChangesAnythingThroughTheApiWithItsVisitorsLogin) {
  for (const By by : kKinds) {
    identify_by(by);
    for (const char* site : {"same-origin", "same-site", "cross-site"}) {
      for (const char* method : {"POST", "DELETE", "PUT", "PATCH"}) {
        auto head = from("alice", by, request(method, "/api/v1/sessions"));
        head.fields.add("Sec-Fetch-Site", site);
        head.fields.add("Referer", "http://127.0.0.1:8000/");
        EXPECT_EQ(outcome(head), by == By::kBearer ? "api" : "403") << method << " " << site;
      }
    }
    auto read = from("alice", by, request("GET", "/api/v1/sessions"));
    read.fields.add("Sec-Fetch-Site", "same-origin");
    EXPECT_EQ(outcome(read), "api");
    auto person = from("alice", by, request("POST", "/api/v1/sessions"));
    person.fields.add("Sec-Fetch-Site", "none");
    EXPECT_EQ(outcome(person), "api");
    EXPECT_EQ(outcome(from("alice", by, request("POST", "/api/v1/sessions"))), "api")
        << "a program";
  }
}

}  // namespace
}  // namespace hpc
