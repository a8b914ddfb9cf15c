#include "manager/gateway/login_pages.h"

#include "common/answers.h"

namespace hpc {

namespace {

std::string message_box(std::string_view message) {
  if (message.empty()) return {};
  return "<p class=\"warning\">" + escape_html(message) + "</p>\n";
}

std::string hidden(std::string_view name, std::string_view value) {
  return "<input type=\"hidden\" name=\"" + std::string(name) + "\" value=\"" + escape_html(value) +
         "\">";
}

/// A form to /login with `fields`, which leads on to `next`.
std::string login_form(std::string_view next, const std::string& fields, std::string_view button) {
  return "<form method=\"post\" action=\"/login\">" + hidden("next", next) + fields +
         "<p><button>" + std::string(button) + "</button></p></form>\n";
}

std::string logout_form() {
  return "<form method=\"post\" action=\"/logout\"><p><button>Sign out</button></p></form>\n";
}

std::string cluster_choice(const std::vector<std::string>& clusters, std::string_view chosen) {
  if (clusters.size() == 1) return hidden("cluster", clusters.front());
  std::string html = "<p><label>Cluster<br><select name=\"cluster\">";
  for (const std::string& cluster : clusters) {
    html += std::string("<option") + (cluster == chosen ? " selected" : "") + ">" +
            escape_html(cluster) + "</option>";
  }
  return html + "</select></label></p>";
}

std::string cancel_form(std::string_view next) {
  return login_form(next, hidden("cancel", "1"), "Begin again");
}

// A place is free again when somebody's attempt has ended, which takes a minute at most times.
constexpr const char* kTooManyRetrySeconds = "60";

/// What goes with the status: whoever asks with a program learns how to, and when to come again.
LocalAnswer with_advice(LocalAnswer answer) {
  if (answer.status == 401) answer.fields.emplace_back("WWW-Authenticate", "Bearer");
  if (answer.status == 429) answer.fields.emplace_back("Retry-After", kTooManyRetrySeconds);
  if (answer.status == 503) {
    answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  }
  return answer;
}

}  // namespace

LocalAnswer token_login_page(int status, std::string_view next, std::string_view message) {
  return with_advice(form_page_answer(
      status, "Sign in",
      message_box(message) +
          login_form(next,
                     "<p><label>Token<br><input type=\"password\" name=\"token\" size=\"40\" "
                     "autocomplete=\"off\" autofocus required></label></p>",
                     "Sign in") +
          "<p>A token begins with <code>hpm_</code>. The operator of this service makes one with "
          "<code>hpc-manager tokens create</code>.</p>\n"));
}

LocalAnswer ssh_login_page(int status, const std::vector<std::string>& clusters,
                           std::string_view user, std::string_view cluster, std::string_view next,
                           std::string_view message) {
  return with_advice(form_page_answer(
      status, "Sign in",
      message_box(message) +
          login_form(next,
                     "<p><label>Your name on the cluster<br><input name=\"user\" value=\"" +
                         escape_html(user) +
                         "\" autocomplete=\"username\" autocapitalize=\"off\" "
                         "spellcheck=\"false\" autofocus required></label></p>" +
                         cluster_choice(clusters, cluster),
                     "Continue") +
          html_paragraph("The cluster then asks for your password or one-time code.")));
}

LocalAnswer ssh_question_page(int status, const SshSignIn::View& view, std::string_view next,
                              std::string_view message) {
  const std::string title = view.cluster + " asks " + view.user;
  const std::string kind = view.echo ? "type=\"text\" autocomplete=\"off\""
                                     : "type=\"password\" autocomplete=\"current-password\"";
  return form_page_answer(
      status, title,
      message_box(message) +
          login_form(next,
                     hidden("step", std::to_string(view.step)) + "<p><label><pre>" +
                         escape_html(view.question) + "</pre><input name=\"answer\" " + kind +
                         " autofocus></label></p>",
                     "Continue") +
          cancel_form(next));
}

LocalAnswer ssh_waiting_page(const SshSignIn::View& view, std::string_view next) {
  return form_page_answer(200, "Signing in on " + view.cluster,
                          html_paragraph("Waiting for the cluster's answer to " + view.user +
                                         ". This page goes on by itself.") +
                              cancel_form(next),
                          true);
}

LocalAnswer proxy_login_page(int status) {
  return with_advice(form_page_answer(
      status, "Not signed in",
      html_paragraph("This service learns from the web server in front of it who you are, and "
                     "that server has named nobody. Open this page by its public address, and "
                     "sign in there; if you have, ask the operator: the server must send your "
                     "name in the agreed header, from an address that is trusted.")));
}

LocalAnswer signed_in_page(std::string_view user, std::string_view next, bool can_sign_out) {
  return form_page_answer(200, "Signed in",
                          html_paragraph("You are signed in as " + std::string(user) + ".") +
                              "<p><a href=\"" + escape_html(next) + "\">Continue</a></p>\n" +
                              (can_sign_out ? logout_form() : std::string()));
}

LocalAnswer logout_page(std::string_view user) {
  return form_page_answer(
      200, "Sign out",
      html_paragraph("You are signed in as " + std::string(user) + " in this browser.") +
          logout_form() + "<p><a href=\"/\">Back</a></p>\n");
}

LocalAnswer proxy_logout_page(std::string_view user) {
  return form_page_answer(
      200, "Sign out",
      html_paragraph("The web server in front of this service says that you are " +
                     std::string(user) + ". Sign out there; here is nothing to sign out of."));
}

LocalAnswer login_throttled_page(std::uint64_t wait_ms) {
  const std::string seconds = std::to_string((wait_ms + 999) / 1000);
  auto answer = form_page_answer(
      429, "Too many attempts",
      html_paragraph("Too many logins have failed under this name or from your address. Try again "
                     "in " +
                     seconds + " s.") +
          "<p><a href=\"/login\">Back to the login</a></p>\n");
  answer.fields.emplace_back("Retry-After", seconds);
  return answer;
}

LocalAnswer see_other(std::string location) {
  LocalAnswer answer;
  answer.status = 303;
  answer.fields = {{"Location", std::move(location)}, {"Cache-Control", "no-store"}};
  return answer;
}

}  // namespace hpc
