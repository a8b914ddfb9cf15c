#include "manager/gateway/login_flow.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/gateway_fixture.h"

namespace hpc {
namespace {

using State = SshSignIn::State;

bool shows(const LocalAnswer& answer, std::string_view text) {
  return answer.body.find(text) != std::string::npos;
}

struct TokenLoginTest : GatewayFixture {
  LocalAnswer type(const std::string& token, const std::string& more = "") {
    return answer(form("/login"), "token=" + token + more);
  }
};

TEST_F(TokenLoginTest, ATokenBecomesALoginOfThisBrowser) {
  const auto token = make_token("alice", TokenKind::kApi);
  const auto got = type(token, "&next=%2Fuser%2Falice%2Fmain%2Fvscode%2F%3Fx%3D1");
  EXPECT_EQ(got.status, 303);
  EXPECT_EQ(value_of(got, "Location"), "/user/alice/main/vscode/?x=1");
  EXPECT_EQ(value_of(got, "Cache-Control"), "no-store");
  const auto cookie = value_of(got, "Set-Cookie");
  EXPECT_EQ(cookie.rfind("hpc-manager-8000=hpm_", 0), 0U);
  EXPECT_NE(cookie.find("; HttpOnly; SameSite=Lax; Max-Age=604800"), std::string::npos) << cookie;
  EXPECT_EQ(cookie.find(token), std::string::npos) << "not the token itself";
  auto head = page("/");
  head.fields.add("Cookie", cookie.substr(0, cookie.find(';')));
  EXPECT_TRUE(shows(answer(head), "signed in as alice"));
  EXPECT_NE(lines.find("audit: login"), std::string::npos);
  EXPECT_EQ(lines.find("hpm_"), std::string::npos) << lines;
  now += options.login_ms;
  EXPECT_EQ(answer(head).status, 401) << "it ends";
}

TEST_F(TokenLoginTest, WhatIsNoTokenForPeopleIsRefusedAndCounted) {
  const auto login_token = make_token("alice", TokenKind::kLogin);
  for (const std::string& text : {std::string(), std::string("hpm_"), login_token,
                                  "hpm_" + std::string(64, '0'), std::string("x%00y")}) {
    const auto got = type(text);
    EXPECT_EQ(got.status, 401) << text;
    EXPECT_EQ(value_of(got, "Set-Cookie"), "");
    EXPECT_TRUE(shows(got, "not known"));
  }
  EXPECT_NE(lines.find("audit: login failed"), std::string::npos);
  const auto token = make_token("alice", TokenKind::kApi);
  const auto later = type(token);
  EXPECT_EQ(later.status, 429) << "five times are enough, also for the right one";
  EXPECT_EQ(value_of(later, "Retry-After"), "1");
  EXPECT_TRUE(shows(later, "Try again in 1 s"));
  client.peer_address = "127.0.0.9";
  EXPECT_EQ(type(token).status, 303) << "another address";
  client.peer_address = "127.0.0.1";
  clock.advance(kLoginWaitFirstMs);
  EXPECT_EQ(type(" " + token + "+").status, 303) << "blanks of a paste are nothing";
}

TEST_F(TokenLoginTest, ALinkWithATokenLeadsToAnAddressWithout) {
  const auto token = make_token("alice", TokenKind::kApi);
  for (const char* site : {"none", "same-origin", ""}) {
    auto head = request("GET", "/login?token=" + token + "&next=/port/5500/");
    if (*site != '\0') head.fields.add("Sec-Fetch-Site", site);
    const auto got = answer(head);
    EXPECT_EQ(got.status, 303) << site;
    EXPECT_EQ(value_of(got, "Location"), "/port/5500/");
    EXPECT_NE(value_of(got, "Set-Cookie"), "");
  }
  const auto wrong = answer(request("GET", "/login?token=hpm_1"));
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(answer(request("HEAD", "/login?token=" + token)).status, 200) << "is not used up";
  EXPECT_EQ(answer(request("GET", "/?token=" + token)).status, 401) << "only there";
  EXPECT_EQ(lines.find("hpm_"), std::string::npos) << lines;
}

TEST_F(TokenLoginTest, AnotherSitesLinkLogsNobodyIn) {
  const auto token = make_token("mallory", TokenKind::kApi);
  for (const char* site : {"cross-site", "same-site"}) {
    for (const char* dest : {"document", "iframe"}) {
      auto head = request("GET", "/login?token=" + token);
      head.fields.add("Sec-Fetch-Site", site);
      head.fields.add("Sec-Fetch-Mode", "navigate");
      head.fields.add("Sec-Fetch-Dest", dest);
      const auto got = answer(head);
      EXPECT_EQ(value_of(got, "Set-Cookie"), "") << site << " " << dest;
      EXPECT_NE(got.status, 303);
    }
  }
  auto rebinding = request("GET", "/login?token=" + token);
  rebinding.host = "evil.example";
  EXPECT_EQ(value_of(answer(rebinding), "Set-Cookie"), "");
}

TEST_F(TokenLoginTest, AnotherSitesFormLogsNobodyIn) {
  const auto token = make_token("mallory", TokenKind::kApi);
  for (const auto& [name, value] : {std::pair{"Sec-Fetch-Site", "cross-site"},
                                    {"Sec-Fetch-Site", "same-site"},
                                    {"Origin", "https://evil.example"},
                                    {"Origin", "null"}}) {
    auto head = request("POST", "/login");
    head.fields.add("Content-Type", "application/x-www-form-urlencoded");
    head.fields.add(name, value);
    const auto got = answer(head, "token=" + token);
    EXPECT_EQ(got.status, 403) << name << " " << value;
    EXPECT_EQ(value_of(got, "Set-Cookie"), "");
  }
}

TEST_F(TokenLoginTest, OnlyAFormIsRead) {
  for (const char* type : {"application/json", "text/plain", "multipart/form-data",
                           "application/x-www-form-urlencodedx", ""}) {
    auto head = request("POST", "/login");
    if (*type != '\0') head.fields.add("Content-Type", type);
    EXPECT_EQ(answer(head, "token=x").status, 415) << type;
  }
  auto head = request("POST", "/login");
  head.fields.add("Content-Type", "Application/X-WWW-form-urlencoded ; charset=utf-8");
  EXPECT_EQ(answer(head, "token=x").status, 401);
  EXPECT_EQ(answer(form("/login"), "token=%").status, 400);
  EXPECT_EQ(answer(form("/login"), std::string(kFormBytesMax, 'x')).status, 401);
  EXPECT_EQ(answer(form("/login"), std::string(kFormBytesMax + 1, 'x')).status, 413);
  const auto put = answer(request("PUT", "/login"));
  EXPECT_EQ(put.status, 405);
  EXPECT_EQ(value_of(put, "Allow"), "GET, HEAD, POST");
}

TEST_F(TokenLoginTest, ItLeadsOnToPathsOfThisHostOnly) {
  const auto token = make_token("alice", TokenKind::kApi);
  for (const char* next : {"https://evil.example/", "//evil.example/", "/%5Cevil.example",
                           "/%0d%0aSet-Cookie:%20a=b", "/login", "javascript:alert(1)"}) {
    const auto got = type(token, std::string("&next=") + next);
    EXPECT_EQ(value_of(got, "Location"), "/") << next;
  }
}

TEST_F(TokenLoginTest, ALoginThatCannotBeStoredIsNone) {
  const auto token = make_token("alice", TokenKind::kApi);
  store.refuse = fail(Errc::kUnavailable, "store", "the disk is full");
  const auto got = type(token);
  EXPECT_EQ(got.status, 503);
  EXPECT_EQ(value_of(got, "Set-Cookie"), "");
  EXPECT_TRUE(shows(got, "the disk is full"));
  EXPECT_EQ(value_of(got, "Retry-After"), "2");
}

TEST_F(TokenLoginTest, ThePageIsOursAlone) {
  for (const auto& got : {answer(page("/login")), answer(page("/user/alice/main/vscode/"))}) {
    const auto policy = value_of(got, "Content-Security-Policy");
    EXPECT_NE(policy.find("default-src 'none'"), std::string::npos) << policy;
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos) << policy;
    EXPECT_NE(policy.find("form-action 'self'"), std::string::npos) << policy;
    EXPECT_EQ(value_of(got, "Cross-Origin-Opener-Policy"), "same-origin");
    EXPECT_EQ(value_of(got, "X-Frame-Options"), "DENY");
    EXPECT_EQ(value_of(got, "Cache-Control"), "no-store");
    EXPECT_EQ(value_of(got, "Referrer-Policy"), "same-origin");
    EXPECT_FALSE(shows(got, "<script"));
  }
}

TEST_F(TokenLoginTest, ThePageInPlaceOfAnotherLeadsBackToIt) {
  const auto got = answer(page("/user/alice/main/vscode/?a=\"><script>"));
  EXPECT_EQ(got.status, 401);
  EXPECT_EQ(value_of(got, "WWW-Authenticate"), "Bearer");
  EXPECT_TRUE(shows(got, "value=\"/user/alice/main/vscode/?a=&quot;&gt;&lt;script&gt;\""))
      << got.body;
  auto posted = form("/user/alice/main/vscode/save");
  EXPECT_TRUE(shows(answer(posted), "name=\"next\" value=\"/\"")) << "a form is not sent again";
}

TEST_F(TokenLoginTest, WhoIsLoggedInIsToldSo) {
  const auto got = answer(as("alice", page("/login?next=/port/5500/")));
  EXPECT_EQ(got.status, 200);
  EXPECT_TRUE(shows(got, "signed in as alice") && shows(got, "href=\"/port/5500/\"") &&
              shows(got, "action=\"/logout\""))
      << got.body;
}

TEST_F(TokenLoginTest, ALogoutEndsTheLogin) {
  const auto head = as("alice", form("/logout"));
  auto ask_page = page("/logout");
  ask_page.fields.add("Cookie", std::string(*head.fields.find("Cookie")));
  EXPECT_TRUE(shows(answer(ask_page), "action=\"/logout\""));
  const auto got = answer(head);
  EXPECT_EQ(got.status, 303);
  EXPECT_EQ(value_of(got, "Location"), "/login");
  EXPECT_EQ(value_of(got, "Set-Cookie").rfind("hpc-manager-8000=; ", 0), 0U);
  EXPECT_NE(value_of(got, "Set-Cookie").find("Max-Age=0"), std::string::npos);
  EXPECT_EQ(answer(ask_page).status, 401) << "the old cookie is worth nothing";
  EXPECT_NE(lines.find("audit: logout"), std::string::npos);
}

TEST_F(TokenLoginTest, ALogoutThatIsNotStoredSaysSo) {
  const auto head = as("alice", form("/logout"));
  auto decision = ask(head);
  auto* serve = std::get_if<Serve>(&decision);
  ASSERT_NE(serve, nullptr);
  CaughtAnswer sink;
  serve->responder->start(sink);
  serve->responder->on_request_end();
  EXPECT_FALSE(sink.caught.has_value()) << "not before it is stored";
  store.commit(fail(Errc::kSystem, "store", "the disk is full"));
  ASSERT_TRUE(sink.caught.has_value());
  EXPECT_EQ(sink.caught->status, 503);
  EXPECT_NE(value_of(*sink.caught, "Set-Cookie"), "");
  EXPECT_EQ(answer(head).status, 401);
}

TEST_F(TokenLoginTest, ALogoutNeedsTheCookieAndOurOwnForm) {
  auto elsewhere = as("alice", request("POST", "/logout"));
  elsewhere.fields.add("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(answer(elsewhere).status, 403);
  auto bearer = request("POST", "/logout");
  bearer.fields.add("Authorization", "Bearer " + make_token("alice", TokenKind::kApi));
  EXPECT_EQ(answer(bearer).status, 400);
  EXPECT_EQ(answer(as("alice", request("DELETE", "/logout"))).status, 405);
  EXPECT_EQ(answer(form("/logout")).status, 401);
}

struct HeaderLoginTest : GatewayFixture {
  HeaderLoginTest() {
    options.auth = AuthMode::kHeader;
    build();
  }
};

TEST_F(HeaderLoginTest, TheProxySaysWhoItIs) {
  auto head = page("/login");
  EXPECT_TRUE(shows(answer(head), "named nobody"));
  EXPECT_EQ(answer(form("/login"), "token=x").status, 403);
  EXPECT_EQ(answer(page("/login?token=" + make_token("alice", TokenKind::kApi))).status, 200);
  head.fields.add("Remote-User", "alice@example.org");
  const auto got = answer(head);
  EXPECT_TRUE(shows(got, "signed in as alice")) << got.body;
  EXPECT_FALSE(shows(got, "/logout"));
  auto out = form("/logout");
  out.fields.add("Remote-User", "alice");
  EXPECT_TRUE(shows(answer(out), "Sign out there"));
}

// ------------------------------------------------------------------------------------ --auth ssh
struct SshLoginPageTest : GatewayFixture {
  SshLoginPageTest() {
    options.auth = AuthMode::kSsh;
    build();
  }
  static std::string pair_of(const std::string& set_cookie) {
    return set_cookie.substr(0, set_cookie.find(';'));
  }
  /// Begins as `user`; the attempt's cookie is this browser's from then on.
  LocalAnswer begin(const std::string& user, const std::string& cluster = "main") {
    auto got = answer(form("/login"), "user=" + user + "&cluster=" + cluster + "&next=/port/1/");
    if (got.status == 303) {
      attempt = pair_of(value_of(got, "Set-Cookie"));
      id = attempt.substr(attempt.find('=') + 1);
    }
    return got;
  }
  RequestHead with_attempt(RequestHead head) const {
    head.fields.add("Cookie", attempt);
    return head;
  }
  LocalAnswer look() { return answer(with_attempt(page("/login?next=/port/1/"))); }
  LocalAnswer reply_with(const std::string& text, unsigned step) {
    return answer(with_attempt(form("/login")),
                  "next=/port/1/&step=" + std::to_string(step) + "&answer=" + text);
  }
  std::string attempt, id;
};

TEST_F(SshLoginPageTest, TheFormAsksForNameAndCluster) {
  const auto got = answer(page("/login"));
  EXPECT_TRUE(shows(got, "name=\"user\"") && shows(got, "<option>main</option>") &&
              shows(got, "<option>other</option>"))
      << got.body;
  options.clusters.resize(1);
  build();
  const auto one = answer(page("/login"));
  EXPECT_TRUE(shows(one, "type=\"hidden\" name=\"cluster\" value=\"main\"")) << one.body;
}

TEST_F(SshLoginPageTest, ClustersMayChangeWhileItRuns) {
  LoginFlow::Options changed;
  changed.auth = AuthMode::kToken;
  changed.clusters = {"third", "fourth"};
  login->set_options(changed);
  const auto got = answer(page("/login"));
  EXPECT_TRUE(shows(got, "<option>third</option>") && shows(got, "name=\"user\""))
      << "the way of logging in stays";
}

TEST_F(SshLoginPageTest, TheClustersQuestionsLeadToALogin) {
  const auto begun = begin("alice%40example.org");
  EXPECT_EQ(begun.status, 303);
  EXPECT_EQ(value_of(begun, "Location"), "/login?next=/port/1/");
  const auto cookie = value_of(begun, "Set-Cookie");
  EXPECT_EQ(cookie.rfind("hpc-manager-8000-attempt=", 0), 0U);
  EXPECT_NE(cookie.find("HttpOnly; SameSite=Strict; Max-Age=300"), std::string::npos) << cookie;
  EXPECT_EQ(sign_in.find(id)->user, "alice") << "mapped";

  auto waiting = look();
  EXPECT_TRUE(shows(waiting, "http-equiv=\"refresh\"")) << waiting.body;
  sign_in.move(id, State::kAsking, "Password for <alice>:");
  auto question = look();
  EXPECT_TRUE(shows(question, "Password for &lt;alice&gt;:") &&
              shows(question, "type=\"password\"") && !shows(question, "http-equiv"))
      << question.body;
  EXPECT_EQ(value_of(reply_with("se%26cret+%25", 1), "Location"), "/login?next=/port/1/");
  EXPECT_EQ(sign_in.answers, std::vector<std::string>{"se&cret %"});
  EXPECT_TRUE(shows(look(), "http-equiv"));
  sign_in.move(id, State::kAsking, "One-time code:");
  sign_in.show_what_is_typed(id);
  EXPECT_TRUE(shows(look(), "type=\"text\""));
  reply_with("123456", 3);
  sign_in.move(id, State::kDone);
  EXPECT_EQ(answer(with_attempt(request("HEAD", "/login"))).status, 200) << "takes nothing";
  const auto done = look();
  EXPECT_EQ(done.status, 303);
  EXPECT_EQ(value_of(done, "Location"), "/port/1/");
  const auto cookies_set = values_of(done, "Set-Cookie");
  ASSERT_EQ(cookies_set.size(), 2U);
  EXPECT_EQ(cookies_set[1].rfind("hpc-manager-8000-attempt=; ", 0), 0U);
  auto home = page("/");
  home.fields.add("Cookie", pair_of(cookies_set[0]));
  EXPECT_TRUE(shows(answer(home), "signed in as alice"));
  for (const char* secret : {"secret", "123456", "aaaaaaaa"}) {
    EXPECT_EQ(lines.find(secret), std::string::npos) << lines;
  }
}

TEST_F(SshLoginPageTest, NobodyFinishesAnothersAttempt) {
  begin("alice");
  sign_in.move(id, State::kDone);
  EXPECT_TRUE(shows(answer(page("/login?attempt=" + id)), "name=\"user\""));
  auto two = with_attempt(page("/login"));
  two.fields.add("Cookie", "hpc-manager-8000-attempt=" + std::string(32, '0'));
  EXPECT_TRUE(shows(answer(two), "name=\"user\""));
  auto elsewhere = with_attempt(request("GET", "/login"));
  elsewhere.fields.add("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(values_of(answer(elsewhere), "Set-Cookie").size(), 0U);
  EXPECT_EQ(look().status, 303);
  const auto again = look();
  EXPECT_TRUE(shows(again, "That attempt is over")) << "once";
  EXPECT_EQ(values_of(again, "Set-Cookie").size(), 1U) << "its cookie goes";
}

TEST_F(SshLoginPageTest, AWrongAnswerIsCountedWhenItIsGiven) {
  for (unsigned i = 0; i < kLoginFailuresFree; ++i) {
    ASSERT_EQ(begin("alice").status, 303) << i;
    sign_in.move(id, State::kAsking, "Password:");
    reply_with("wrong", 1);
    sign_in.move(id, State::kFailed, "", Error{Errc::kUnauthorized, "ssh", "permission denied"});
  }
  EXPECT_EQ(begin("alice").status, 429) << "although nobody has looked at the outcome";
  EXPECT_EQ(sign_in.watched(), 0U);
  clock.advance(kLoginWaitFirstMs);
  EXPECT_EQ(begin("alice").status, 303);
  EXPECT_NE(lines.find("audit: login failed"), std::string::npos);
}

TEST_F(SshLoginPageTest, AFailureIsShownWithTheFormAgain) {
  begin("alice", "other");
  sign_in.move(id, State::kFailed, "", Error{Errc::kNetwork, "ssh", "other is <down>"});
  const auto got = look();
  EXPECT_EQ(got.status, 401);
  EXPECT_TRUE(shows(got, "other is &lt;down&gt;") && shows(got, "value=\"alice\"") &&
              shows(got, "<option selected>other"))
      << got.body;
  EXPECT_EQ(throttle.wait_ms("alice", "127.0.0.1"), 0U);
  EXPECT_EQ(throttle.size(), 0U) << "a cluster that is down is nobody's guess";
}

TEST_F(SshLoginPageTest, WhatCannotBeginSaysWhy) {
  EXPECT_EQ(begin("Alice").status, 400);
  EXPECT_TRUE(shows(begin("Alice"), "--user-map"));
  EXPECT_EQ(begin("").status, 400);
  sign_in.refuse = Error{Errc::kNotFound, "ssh", "no such cluster"};
  EXPECT_EQ(begin("alice", "nowhere").status, 404);
  sign_in.refuse = Error{Errc::kTooMany, "ssh", "8 are under way"};
  const auto many = begin("alice");
  EXPECT_EQ(many.status, 429);
  EXPECT_TRUE(shows(many, "Try again in a minute"));
  EXPECT_EQ(values_of(many, "Retry-After"), std::vector<std::string>{"60"});
}

TEST_F(SshLoginPageTest, OneAddressTakesOnlySomeOfThePlaces) {
  for (std::size_t i = 0; i < kSignInsPerAddressMax; ++i) {
    EXPECT_EQ(begin("user" + std::to_string(i)).status, 303) << i;
  }
  EXPECT_EQ(begin("bob").status, 429);
  client.peer_address = "127.0.0.9";
  EXPECT_EQ(begin("bob").status, 303);
  client.peer_address = "127.0.0.1";
  sign_in.move(std::string(31, 'a') + "0", State::kFailed);
  EXPECT_EQ(begin("bob").status, 303) << "a place is free again";
}

TEST_F(SshLoginPageTest, BeginningAgainEndsTheAttempt) {
  begin("alice");
  const auto first = id;
  const auto got = answer(with_attempt(form("/login")), "cancel=1");
  EXPECT_EQ(got.status, 303);
  EXPECT_EQ(sign_in.cancelled, std::vector<std::string>{first});
  begin("alice");
  const auto second = id;
  EXPECT_EQ(answer(with_attempt(form("/login")), "user=bob&cluster=main").status, 303);
  EXPECT_EQ(sign_in.cancelled.back(), second) << "a browser has one at a time";
}

TEST_F(SshLoginPageTest, AFormThatComesTwiceOrTooLateShowsHowItStands) {
  begin("alice");
  sign_in.move(id, State::kAsking, "Password:");
  EXPECT_EQ(reply_with("a", 1).status, 303);
  EXPECT_EQ(reply_with("a", 1).status, 303);
  EXPECT_EQ(sign_in.answers.size(), 1U);
  EXPECT_EQ(answer(with_attempt(form("/login")), "answer=a&step=x").status, 303);
  EXPECT_EQ(answer(form("/login"), "answer=a&step=1").status, 303) << "without the cookie";
  EXPECT_EQ(sign_in.answers.size(), 1U);
}

TEST_F(SshLoginPageTest, AnAnswerThatIsNoneMayBeGivenAgain) {
  begin("alice");
  sign_in.move(id, State::kAsking, "Password:");
  sign_in.refuse = Error{Errc::kTooLarge, "ssh", "an answer has at most 1024 bytes"};
  const auto got = reply_with("long", 1);
  EXPECT_TRUE(shows(got, "at most 1024 bytes") && shows(got, "Password:")) << got.body;
}

TEST_F(SshLoginPageTest, AnAttemptThatIsGoneLeavesNothingBehind) {
  begin("alice");
  sign_in.cancel(id);  // its time was over
  EXPECT_EQ(sign_in.watched(), 0U);
  EXPECT_TRUE(shows(look(), "That attempt is over"));
  begin("alice");
  login.reset();
  EXPECT_EQ(sign_in.watched(), 0U) << "nobody is told any more";
  build();
}

}  // namespace
}  // namespace hpc
