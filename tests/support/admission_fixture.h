#pragma once
#include <map>
#include <string>
#include <utility>

#include "tests/support/gateway_fixture.h"

namespace hpc {

/// A gateway and three people who can show who they are in every way: alice, bob, and root, who is
/// an admin.
struct AdmissionFixture : GatewayFixture {
  using By = Caller::By;

  AdmissionFixture() {
    for (const char* user : {"bob", "alice", "root"}) {
      api_tokens[user] = make_token(user, TokenKind::kApi);
      logins[user] = make_token(user, TokenKind::kLogin);
    }
  }
  void identify_by(By by) {
    options.auth = by == By::kHeader ? AuthMode::kHeader : AuthMode::kToken;
    build();
  }
  /// The request as `user` (empty: nobody) sends it.
  RequestHead from(const std::string& user, By by, RequestHead head) {
    if (user.empty()) return head;
    if (by == By::kBearer) head.fields.add("Authorization", "Bearer " + api_tokens.at(user));
    if (by == By::kHeader) head.fields.add("Remote-User", user);
    if (by == By::kCookie) {
      head.fields.add("Cookie", cookies->login_name() + "=" + logins.at(user));
    }
    return head;
  }
  /// Everything of the answer, as text.
  std::string whole(const RequestHead& head) {
    auto decision = ask(head);
    const auto* got = std::get_if<LocalAnswer>(&decision);
    if (got == nullptr) return "not answered here";
    std::string text = std::to_string(got->status) + (got->close ? " close" : "") + "\n";
    for (const auto& [name, value] : got->fields) text += name + ": " + value + "\n";
    return text + got->body;
  }

  std::map<std::string, std::string> api_tokens, logins;
};

}  // namespace hpc
