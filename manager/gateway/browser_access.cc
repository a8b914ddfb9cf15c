#include "manager/gateway/browser_access.h"

#include "common/answers.h"
#include "common/hello.h"
#include "common/own_cookies.h"

namespace hpc {

namespace {

constexpr std::string_view kOpenPath = "/.hpc-manager/open?key=";

// Asked last, so that a stranger learns nothing from the difference of 401 and 403.
Verdict welcome_unless_cross_site(const RequestHead& head) {
  return passes_cross_site_rule(head, OwnNames{}) ? Verdict::kWelcome : Verdict::kCrossSite;
}

class UidAccess final : public BrowserAccess {
 public:
  UidAccess(PeerOwner& owner, std::uint32_t uid) : owner_(owner), uid_(uid) {}

  Verdict decide(const RequestHead& head, ClientInfo& client) override {
    return is_ours(client) ? welcome_unless_cross_site(head) : Verdict::kStranger;
  }
  void look_at(ClientInfo& client) override { is_ours(client); }
  std::optional<LocalAnswer> redeem(const RequestHead&) override { return std::nullopt; }
  std::string entry_path() const override { return "/"; }
  std::string_view advice() const override {
    return "this port belongs to another user of this machine; start your own hpc-manager connect";
  }

 private:
  bool is_ours(ClientInfo& client) {
    if (!client.loopback) return false;
    if (client.peer_is_ours < 0) {
      const auto answer = owner_.peer_belongs_to({client.peer_address, client.peer_port},
                                                 {client.local_address, client.local_port}, uid_);
      client.peer_is_ours = answer && *answer ? 1 : 0;
    }
    return client.peer_is_ours == 1;
  }

  PeerOwner& owner_;
  std::uint32_t uid_;
};

class UrlAccess final : public BrowserAccess {
 public:
  explicit UrlAccess(std::uint16_t port) : cookie_name_(access_cookie_name(port)) {}

  Verdict decide(const RequestHead& head, ClientInfo&) override {
    bool known = false;
    for (const auto value : cookie_values(head.fields, cookie_name_)) {
      known = equal_in_constant_time(value, cookie_) || known;
    }
    return known ? welcome_unless_cross_site(head) : Verdict::kStranger;
  }

  std::optional<LocalAnswer> redeem(const RequestHead& head) override {
    const std::string_view target = head.target;
    if (head.method != "GET" || !target.starts_with(kOpenPath)) return std::nullopt;
    const bool right = equal_in_constant_time(target.substr(kOpenPath.size()), key_);
    if (!right || used_ || !passes_cross_site_rule(head, OwnNames{})) return std::nullopt;
    used_ = true;
    LocalAnswer answer = html_answer(303, "Opening", "");
    answer.fields.emplace_back("Location", "/");
    answer.fields.emplace_back("Set-Cookie",
                               cookie_name_ + "=" + cookie_ + "; Path=/; HttpOnly; SameSite=Lax");
    return answer;
  }

  std::string entry_path() const override { return std::string(kOpenPath) + key_; }
  std::string_view advice() const override {
    return "open the URL that hpc-manager connect has printed; it works once, so for another "
           "browser end hpc-manager with Ctrl-C and start it again";
  }

 private:
  std::string cookie_name_;
  std::string cookie_ = random_hex64();
  std::string key_ = random_hex64();
  bool used_ = false;
};

}  // namespace

std::unique_ptr<BrowserAccess> make_uid_access(PeerOwner& owner, std::uint32_t uid) {
  return std::make_unique<UidAccess>(owner, uid);
}

std::unique_ptr<BrowserAccess> make_url_access(std::uint16_t port) {
  return std::make_unique<UrlAccess>(port);
}

}  // namespace hpc
