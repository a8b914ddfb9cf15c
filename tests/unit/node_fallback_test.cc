#include <gtest/gtest.h>

#include "tests/support/node_proxy_fixture.h"

namespace hpc {
namespace {

class NodeFallbackTest : public NodeProxyTest {};

/// A request of a page that is under that path.
FieldPairs from_page(const std::string& referer, const char* mode = "no-cors") {
  return {{"Referer", referer}, {"Sec-Fetch-Mode", mode}, {"Sec-Fetch-Site", "same-origin"}};
}

const std::string kPage = kHere + "/port/3000/";

TEST_F(NodeFallbackTest, WhatAPageAsksForAtTheRootIsSentOnToItsApp) {
  const auto answer = local(request("/x.js?v=/1", from_page(kPage)));
  EXPECT_EQ(answer.status, 307);
  const decltype(answer.fields) fields = {
      {"Location", "/port/3000/x.js?v=/1"}, {"Cache-Control", "no-store"}, {"Vary", "Referer"}};
  EXPECT_EQ(answer.fields, fields);
  EXPECT_TRUE(client.authenticated);
  EXPECT_EQ(status(request("/about", from_page(kPage, "navigate"))), 307);
  EXPECT_EQ(status(request("/api", from_page(kPage, "cors"), "POST")), 307);
  EXPECT_EQ(status(request("/x.js")), 404);
}

TEST_F(NodeFallbackTest, OwnPagesAreForPeople) {
  for (const std::string path : {"/status", "/healthz", "/ports", "/metrics"}) {
    const auto answer = local(request(path, from_page(kPage, "cors")));
    EXPECT_EQ(answer.status, 307) << path;
    EXPECT_EQ(answer.fields.at(0).second, "/port/3000" + path);
  }
  EXPECT_EQ(status(request("/status", from_page(kPage, "navigate"))), 200);
  EXPECT_EQ(status(request("/healthz", from_page(kPage, "navigate"))), 200);
  EXPECT_EQ(status(request("/status")), 200);
  EXPECT_EQ(status(request("/status", from_page(kHere + "/status", "cors"))), 200);
  EXPECT_EQ(status(request("/.hpc-proxy/hello", from_page(kPage))), 400);
  EXPECT_EQ(status(request("/api/v1/x", from_page(kPage))), 404);
}

TEST_F(NodeFallbackTest, NobodyIsSentOnWhoIsNotLetIn) {
  EXPECT_EQ(status(request("/x.js", {{"Referer", kPage}, {"Sec-Fetch-Site", "same-site"}})), 403);
  EXPECT_EQ(status(request("/healthz", {{"Referer", kPage}, {"Sec-Fetch-Site", "same-site"}})),
            200);
  owner.ours = false;
  client.peer_is_ours = -1;
  EXPECT_EQ(status(request("/x.js", from_page(kPage))), 401);
  EXPECT_EQ(local(request("/healthz", from_page(kPage))).body, "{\"status\":\"ok\"}\n");
  EXPECT_FALSE(logged.find("307") != std::string::npos);
}

RequestHead web_socket(std::string_view target, std::string_view cookie) {
  auto head = request(target, {{"Cookie", cookie}, {"Origin", kHere}});
  head.websocket_upgrade = true;
  return head;
}

TEST_F(NodeFallbackTest, AWebSocketAtTheRootGoesToTheAppThatWasOpenedLast) {
  const auto cookie = "a=1; hpc-last-app-41234=/port/3000; b=2";
  const auto text = forwarded(web_socket("/ws?t", cookie));
  EXPECT_TRUE(text.starts_with("3000 /ws?t\r\n"));
  EXPECT_TRUE(has(text, "Cookie: a=1; b=2"));
  EXPECT_TRUE(has(text, "X-Forwarded-Prefix: /port/3000"));
  EXPECT_TRUE(forwarded(web_socket("/status", cookie)).starts_with("3000 /status\r\n"));
  EXPECT_TRUE(forwarded(web_socket("/", "hpc-last-app-41234=/absport/3000"))
                  .starts_with("3000 /absport/3000/\r\n"));
  EXPECT_EQ(forwarded(web_socket("/ws", "")), "answered 404");
  EXPECT_EQ(forwarded(web_socket("/ws", "hpc-last-app-41234=/port/22")), "answered 403");
  EXPECT_EQ(forwarded(web_socket("/ws", "hpc-last-app-41234=/port/41234")), "answered 403");
  EXPECT_EQ(forwarded(web_socket("/ws", "hpc-last-app-41234=/app")), "answered 503");
  auto evil = request("/ws", {{"Cookie", cookie}, {"Origin", "http://127.0.0.1:3000"}});
  evil.websocket_upgrade = true;
  EXPECT_EQ(forwarded(evil), "answered 403");
}

TEST_F(NodeFallbackTest, AnAppsPageIsRememberedAsTheOneThatWasOpenedLast) {
  const std::string ours =
      "Set-Cookie: hpc-last-app-41234=/port/5500; Path=/; HttpOnly; "
      "SameSite=Lax\r\n";
  const FieldPairs page = {{"Sec-Fetch-Mode", "navigate"}};
  EXPECT_TRUE(answered(request("/port/5500/", page), "/a").ends_with("\r\n" + ours));
  EXPECT_TRUE(answered(request("/port/5500/", page), "/a", 404).ends_with("\r\n" + ours));
  EXPECT_EQ(answered(request("/port/5500/", page), "/a", 103).find("hpc-last"), std::string::npos);
  EXPECT_EQ(answered(request("/port/5500/x.js", from_page(kPage)), "/a").find("hpc-last"),
            std::string::npos);
  state.root_fallback = false;
  EXPECT_EQ(answered(request("/port/5500/", page), "/a").find("hpc-last"), std::string::npos);
}

TEST_F(NodeFallbackTest, AnAppNeitherSeesNorSetsOurCookies) {
  for (const char* evil : {"hpc-last-app-41234=/port/1; Path=/", "=hpc-last-app-41234=/port/1",
                           "hpc-manager-9000=x"}) {
    EXPECT_EQ(answered(request("/port/5500/"), "/a", 200, evil).find("Set-Cookie"),
              std::string::npos);
  }
  const auto text = forwarded(request("/port/5500/", {{"Cookie", "hpc-last-app-41234=/port/1"},
                                                      {"Cookie", "hpc-manager-9000=secret; a=1"}}));
  EXPECT_TRUE(has(text, "Cookie: a=1"));
  EXPECT_EQ(text.find("hpc-"), std::string::npos);
}

TEST_F(NodeFallbackTest, OurCookieIsNoneOfTheApps) {
  const FieldPairs ours = {{"Cookie", "hpc-last-app-41234=/port/5500"}};
  answered(request("/port/5500/x", ours), "/port/5500/x", 302, "first=1");
  EXPECT_TRUE(forwarded(request("/port/5500/x")).starts_with("5500 /x\r\n"))
      << "an app that looks whether the browser keeps cookies is not one that knows its prefix";
}

TEST_F(NodeFallbackTest, BehindAManagerTheRootIsTheManagers) {
  for (const char* field : {"X-Forwarded-Host", "X-Forwarded-Prefix"}) {
    const auto with = [&](FieldPairs fields) {
      fields.emplace_back("X-HPC-Proxy-Token", kToken);
      fields.emplace_back(field, "/user/u/c/i");
      return fields;
    };
    EXPECT_EQ(status(request("/x.js", with(from_page(kPage)))), 404);
    EXPECT_EQ(status(request("/status", with(from_page(kPage, "cors")))), 200);
    EXPECT_EQ(status(request("/healthz", with(from_page(kPage, "cors")))), 200);
    auto socket = request("/ws", with({{"Cookie", "hpc-last-app-41234=/port/3000"}}));
    socket.websocket_upgrade = true;
    EXPECT_EQ(forwarded(socket), "answered 404");
    const auto page = request("/port/5500/", with({{"Sec-Fetch-Mode", "navigate"}}));
    EXPECT_EQ(answered(page, "/a").find("hpc-last"), std::string::npos);
  }
  auto direct = from_page(kPage);
  direct.emplace_back("X-HPC-Proxy-Token", kToken);
  EXPECT_EQ(status(request("/x.js", direct)), 307) << "whoever has the token may come directly";
}

TEST_F(NodeFallbackTest, RootFallbackCanBeSwitchedOff) {
  state.root_fallback = false;
  EXPECT_EQ(status(request("/x.js", from_page(kPage))), 404);
  EXPECT_EQ(status(request("/status", from_page(kPage, "cors"))), 200);
  EXPECT_EQ(forwarded(web_socket("/ws", "hpc-last-app-41234=/port/3000")), "answered 404");
}

}  // namespace
}  // namespace hpc
