#include "node-proxy/pages.h"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <ostream>

#include "node-proxy/ports_text.h"
#include "node-proxy/url_template.h"
#include "tests/support/fake_ports.h"

namespace hpc {
namespace {

// 2026-03-01T12:00:00Z, when the programs of FakePorts started.
constexpr std::int64_t kNowMs = 1'772'366'400'000;

std::string field_of(const LocalAnswer& answer, std::string_view name) {
  for (const auto& [key, value] : answer.fields) {
    if (key == name) return value;
  }
  return "";
}

class PagesTest : public testing::Test {
 protected:
  PagesTest() {
    state.record.host = "node-07";
    state.record.job_id = "4711";
    state.url_template = "/port/{port}/";
    state.allow_ports = *PortSet::parse("1024-65535");
  }
  static bool has(const LocalAnswer& answer, const std::string& text) {
    return answer.body.find(text) != std::string::npos;
  }
  static rapidjson::Document json(const LocalAnswer& answer) {
    rapidjson::Document document;
    document.Parse(answer.body.c_str());
    EXPECT_FALSE(document.HasParseError()) << answer.body;
    return document;
  }
  NodeProxyState state;
  FakePorts list;
  Pages pages{state, list};
  const Pages::Asker person{true, "../../"};
  const Pages::Asker program{false, "../../"};
};

TEST_F(PagesTest, WaitingPageNamesWhatThereIsInstead) {
  list.add(5501, "node live-server.js");
  list.add(8787, "R");
  const auto page = pages.waiting(5500, person);
  EXPECT_EQ(page.status, 503);
  EXPECT_EQ(field_of(page, "Retry-After"), "2");
  EXPECT_TRUE(has(page, "<h1>Waiting for port 5500 on node-07</h1>"));
  EXPECT_TRUE(has(page, "http-equiv=\"refresh\" content=\"2\""));
  EXPECT_TRUE(has(page, "Nothing listens on port 5500 of this node yet."));
  EXPECT_TRUE(has(page, "<li><a href=\"../../port/5501/\">5501</a> node live-server.js</li>"));
  EXPECT_TRUE(has(page, "<li><a href=\"../../port/8787/\">8787</a> R</li>"));
  EXPECT_TRUE(has(page, "<a href=\"../../ports\">"));
  EXPECT_TRUE(has(page, "http.server 5500"));
  EXPECT_TRUE(has(page, "Job 4711 on node-07."));
  EXPECT_EQ(page.body.find("<script"), std::string::npos);
}

TEST_F(PagesTest, WaitingPageSaysThatNothingListensAtAll) {
  EXPECT_TRUE(has(pages.waiting(5500, person), "No program of yours listens"));
  list.view.known = false;
  const auto page = pages.waiting(5500, person);
  EXPECT_FALSE(has(page, "No program of yours")) << "that is not known";
  EXPECT_TRUE(has(page, "Waiting for port 5500"));
}

TEST_F(PagesTest, ProblemListsPortsForPrograms) {
  list.add(5501, "node");
  list.add(8787, "R");
  const auto answer = pages.waiting(5500, program);
  const auto problem = json(answer);
  EXPECT_STREQ(problem["detail"].GetString(),
               "nothing listens on port 5500 of this node yet; yours are 5501 (node), 8787 (R)");
  ASSERT_EQ(problem["listening"].Size(), 2U);
  EXPECT_EQ(problem["listening"][0]["port"].GetInt(), 5501);
  EXPECT_STREQ(problem["listening"][0]["process"].GetString(), "node");
  EXPECT_EQ(field_of(answer, "Content-Type"), "application/problem+json");
  EXPECT_EQ(field_of(answer, "Retry-After"), "2");
}

TEST_F(PagesTest, ProblemWithoutPortsHasAnEmptyListOrNone) {
  auto answer = pages.waiting(5500, program);
  EXPECT_EQ(json(answer)["listening"].Size(), 0U);
  EXPECT_STREQ(json(answer)["detail"].GetString(), "nothing listens on port 5500 of this node yet");
  list.view.known = false;
  EXPECT_FALSE(json(pages.waiting(5500, program)).HasMember("listening"));
}

TEST_F(PagesTest, HostileNamesAreText) {
  list.add(5501, "<script>alert(1)</script>&\"'");
  for (const auto& page :
       {pages.waiting(5500, person), pages.ports(true), pages.problem(404, "<b>", "<i>", person)}) {
    EXPECT_EQ(page.body.find("<script"), std::string::npos);
    EXPECT_TRUE(has(page, "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;"));
    EXPECT_EQ(page.body.find("<b>"), std::string::npos);
    EXPECT_EQ(page.body.find("<i>"), std::string::npos);
  }
  const auto answer = pages.ports(false);
  EXPECT_STREQ(json(answer)["ports"][0]["process"].GetString(), "<script>alert(1)</script>&\"'");
}

TEST_F(PagesTest, HostileHomeIsText) {
  list.add(5501, "node");
  const auto page = pages.waiting(5500, {true, "/\"><script>/"});
  EXPECT_EQ(page.body.find("<script"), std::string::npos);
}

TEST_F(PagesTest, PortsThatAreNotLetThroughAreNoLinks) {
  state.allow_ports = *PortSet::parse("5000-5999");
  list.add(80, "nginx");
  list.add(5500, "node");
  const auto page = pages.ports(true);
  EXPECT_FALSE(has(page, "port/80/"));
  EXPECT_TRUE(has(page, "<td>80 <small>(outside --allow-ports)</small></td><td>nginx</td>"));
  EXPECT_TRUE(has(page, "<a href=\"port/5500/\">5500</a>"));
  EXPECT_FALSE(has(pages.waiting(5501, person), "port/80/"));
  const auto answer = pages.ports(false);
  const auto document = json(answer);
  EXPECT_TRUE(document["ports"][0]["url"].IsNull());
  EXPECT_TRUE(document["ports"][0]["path"].IsNull());
  EXPECT_STREQ(document["ports"][1]["path"].GetString(), "port/5500/");
  EXPECT_STREQ(document["ports"][1]["url"].GetString(), "http://127.0.0.1:9000/port/5500/");
}

TEST_F(PagesTest, PrivatePortsAreShownAsSuch) {
  list.add(5500, "node");
  list.view.ports[0].is_private = true;
  EXPECT_FALSE(has(pages.ports(true), "numbers")) << "nothing is explained without a run";
  state.record.private_ports = JobRecord::Private{"loopback", {"127.64.12.8"}};
  auto page = pages.ports(true);
  EXPECT_TRUE(has(page, "<a href=\"port/5500/\">5500</a> <small>(private)</small></td>"));
  EXPECT_TRUE(has(page, "can use the same numbers"));
  EXPECT_FALSE(has(page, "the whole node"));
  list.add(8080, "go-server");
  page = pages.ports(true);
  EXPECT_TRUE(has(page, ">8080</a></td>"));
  EXPECT_TRUE(has(page, "The others are the whole node"));
  EXPECT_TRUE(has(pages.waiting(5501, person), "5500</a> node <small>(private)</small></li>"));
  const auto answer = pages.ports(false);
  const auto document = json(answer);
  EXPECT_TRUE(document["ports"][0]["private"].IsTrue());
  EXPECT_TRUE(document["ports"][1]["private"].IsFalse());
}

TEST_F(PagesTest, PortsJsonTellsAll) {
  state.url_template = "https://hpc.example.org/user/u/c/i/port/{port}/";
  list.add(5500, "node", 77);
  list.view.ports.push_back({5501, {"0.0.0.0", "::"}, {2}, std::nullopt, false});
  list.view.left_out = 3;
  list.view.names_complete = false;
  const auto answer = pages.ports(false);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(field_of(answer, "Content-Type"), "application/json");
  const auto document = json(answer);
  EXPECT_STREQ(document["host"].GetString(), "node-07");
  EXPECT_STREQ(document["job_id"].GetString(), "4711");
  EXPECT_EQ(document["count"].GetInt(), 2);
  EXPECT_EQ(document["left_out"].GetInt(), 3);
  EXPECT_FALSE(document["names_complete"].GetBool());
  const auto& first = document["ports"][0];
  EXPECT_EQ(first["port"].GetInt(), 5500);
  EXPECT_EQ(first["pid"].GetInt(), 77);
  EXPECT_STREQ(first["started_at"].GetString(), "2026-03-01T12:00:00.000Z");
  EXPECT_GT(first["age_seconds"].GetInt64(), 0);
  EXPECT_STREQ(first["url"].GetString(), "https://hpc.example.org/user/u/c/i/port/5500/");
  const auto& second = document["ports"][1];
  EXPECT_TRUE(second["process"].IsNull() && second["pid"].IsNull());
  EXPECT_STREQ(second["addresses"][1].GetString(), "::");
}

TEST_F(PagesTest, PortsPageIsATable) {
  list.add(5500, "node live-server.js", 77);
  list.view.ports.push_back({5501, {"::"}, {2}, std::nullopt});
  auto page = pages.ports(true);
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(has(page, "<h1>Ports on node-07</h1>"));
  EXPECT_TRUE(has(page,
                  "<a href=\"port/5500/\">5500</a></td><td>node live-server.js</td>"
                  "<td>77</td><td title=\"2026-03-01T12:00:00.000Z\">"));
  EXPECT_TRUE(has(page, "5501</a></td><td>unknown</td>"));
  EXPECT_FALSE(has(page, "http-equiv=\"refresh\"")) << "a table that moves cannot be read";
  EXPECT_FALSE(has(page, "are not shown"));
  list.view.left_out = 2;
  list.view.names_complete = false;
  page = pages.ports(true);
  EXPECT_TRUE(has(page, "2 more are not shown"));
  EXPECT_TRUE(has(page, "still being looked for"));
}

TEST_F(PagesTest, EmptyPortsPageSaysHowToStartSomething) {
  EXPECT_TRUE(has(pages.ports(true), "No program of yours listens"));
  EXPECT_TRUE(has(pages.ports(true), "http.server 5500"));
  EXPECT_EQ(json(pages.ports(false))["ports"].Size(), 0U);
}

TEST_F(PagesTest, KernelThatTellsNothingIsAProblem) {
  list.view = {};
  EXPECT_EQ(pages.ports(true).status, 503);
  EXPECT_TRUE(has(pages.ports(false), "the kernel does not tell"));
}

TEST_F(PagesTest, WarningIsOnEveryPageThatAPersonStaysOn) {
  EXPECT_FALSE(has(pages.waiting(5500, person), "time limit"));
  state.walltime_warning = true;
  EXPECT_TRUE(has(pages.waiting(5500, person), "The job reaches its time limit soon."));
  EXPECT_TRUE(has(pages.waiting_for_socket(person), "time limit soon"));
  EXPECT_TRUE(has(pages.ports(true), "time limit soon"));
}

TEST_F(PagesTest, OnlyWaitingPagesLoadThemselvesAnew) {
  const std::string refresh = "http-equiv=\"refresh\"";
  EXPECT_TRUE(has(pages.no_app(person), refresh));
  EXPECT_TRUE(has(pages.waiting_for_socket(person), refresh));
  for (const int status : {403, 404, 502, 504}) {
    EXPECT_FALSE(has(pages.problem(status, "t", "d", person), refresh)) << status;
  }
}

TEST_F(PagesTest, SentencesAndListsHaveAnEnd) {
  for (std::uint16_t port = 6000; port < 6005; ++port) list.add(port, "p");
  EXPECT_EQ(ports_sentence(list.view),
            "yours are 6000 (p), 6001 (p), 6002 (p), 6003 (p), 6004 (p)");
  list.add(6005, "");
  EXPECT_EQ(ports_sentence(list.view),
            "yours are 6000 (p), 6001 (p), 6002 (p), 6003 (p), 6004 (p) and 1 more");
  list.view.left_out = 9;
  EXPECT_NE(ports_sentence(list.view).find("and 10 more"), std::string::npos);
  for (std::uint16_t port = 6006; port < 6012; ++port) list.add(port, "p");
  EXPECT_NE(ports_items(list.view, state, "").find("<li>and 9 more</li>"), std::string::npos);
  for (std::uint16_t port = 6012; port < 6040; ++port) list.add(port, "p");
  EXPECT_EQ(json(pages.waiting(5500, program))["listening"].Size(), 32U);
  EXPECT_EQ(json(pages.ports(false))["ports"].Size(), 40U);
}

TEST_F(PagesTest, JobIsNamedWithItsEnd) {
  EXPECT_EQ(job_text(state, kNowMs), "Job 4711 on node-07.");
  state.record.job_end = "2026-03-01T14:10:30Z";
  EXPECT_EQ(job_text(state, kNowMs),
            "Job 4711 on node-07, ends 2026-03-01 14:10 UTC (in 2 h 10 min).");
  EXPECT_EQ(job_text(state, kNowMs + 86'400'000),
            "Job 4711 on node-07, ends 2026-03-01 14:10 UTC.");
  state.record.job_id = "4711_3";
  EXPECT_TRUE(job_text(state, kNowMs).starts_with("Job 4711_3"));
  state.record.job_id = "node-07-123";
  state.record.job_end.reset();
  EXPECT_EQ(job_text(state, kNowMs), "Node node-07.") << "outside of SLURM there is no job";
}

TEST(DurationTest, HasTwoPartsAtMost) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {-5, "0 s"},        {0, "0 s"},          {59, "59 s"},         {60, "1 min"},
      {3599, "59 min"},   {3600, "1 h 0 min"}, {7859, "2 h 10 min"}, {86399, "23 h 59 min"},
      {86400, "1 d 0 h"}, {273'600, "3 d 4 h"}};
  for (const auto& [seconds, text] : cases) EXPECT_EQ(duration_text(seconds), text);
  EXPECT_EQ(minute_text("soon"), "soon");
}

struct HomeCase {
  const char* path;
  const char* route;
  const char* external;
  const char* home;
};
TEST(HomeLinkTest, LeadsFromThePageToOurOwn) {
  constexpr HomeCase kCases[] = {
      {"/", "", "", ""},
      {"/nothing", "", "", ""},
      {"/a/b", "", "", "../"},
      {"/port/5500/", "/port/5500", "/port/5500", "../../"},
      {"/port/5500", "/port/5500", "/port/5500", "../"},
      {"/port/5500/a/b.html", "/port/5500", "/user/u/c/i/port/5500", "../../../"},
      {"/port/5500//ws", "/port/5500", "/port/5500", "../../../"},
      {"/app/", "/app", "/app", "../"},
      {"/app/x", "/app", "/user/u/c/i", "/user/u/c/i/"},
      {"/port/5500/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15", "/port/5500", "/u/port/5500",
       "../../../../../../../../../../../../../../../../"},
      {"/port/5500/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", "/port/5500", "/u/port/5500", "/u/"},
  };
  for (const auto& c : kCases) EXPECT_EQ(home_link(c.path, c.route, c.external), c.home) << c.path;
}

TEST(WantsHtmlTest, PersonsDoAndProgramsDoNot) {
  const auto wants = [](std::vector<std::pair<const char*, const char*>> fields) {
    RequestHead head;
    head.method = "GET";
    for (const auto& [name, value] : fields) head.fields.add(name, value);
    return wants_html(head);
  };
  EXPECT_TRUE(wants({{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}}));
  EXPECT_TRUE(wants({{"Sec-Fetch-Mode", "navigate"}}));
  EXPECT_TRUE(wants({{"Accept", "text/html, application/json"}}));
  EXPECT_FALSE(wants({}));
  EXPECT_FALSE(wants({{"Accept", "*/*"}})) << "curl";
  EXPECT_FALSE(wants({{"Accept", "application/json"}}));
  EXPECT_FALSE(wants({{"Sec-Fetch-Mode", "navigate"}, {"Accept", "application/json"}}));
  EXPECT_FALSE(wants({{"Sec-Fetch-Mode", "cors"}, {"Accept", "text/html"}}));
}

}  // namespace
}  // namespace hpc
