#include "manager/ssh/ssh_auth.h"

#include <algorithm>
#include <array>
#include <utility>

#include "manager/ssh/agent_socket.h"
#include "manager/ssh/ssh_key_file.h"
#include "manager/ssh/ssh_repeat.h"

namespace hpc {
namespace {

// Key, then password, then one-time code is the longest chain that sites use.
constexpr int kPartialStepsMax = 4;
// One keyboard-interactive exchange: more rounds or questions than any PAM stack sends.
constexpr int kInteractiveRoundsMax = 20;
constexpr int kQuestionsMax = 16;

constexpr std::string_view kPublicKey = "publickey";
constexpr std::string_view kInteractive = "keyboard-interactive";
constexpr std::string_view kPassword = "password";

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

}  // namespace

SshAuthenticator::SshAuthenticator(ssh_session session, const SshConfig& config,
                                   const SshMeans& means, AttemptPrompter& prompter,
                                   SshAttempt& attempt)
    : session_(session), config_(config), means_(means), prompter_(prompter), attempt_(attempt) {}

Status SshAuthenticator::run() {
  Step step = step_of(call([this] { return ssh_userauth_none(session_, nullptr); }));
  for (int i = 0; i < kPartialStepsMax && step != Step::kDone; ++i) {
    if (step == Step::kLost) return tl::unexpected(lost_error());
    if (auto tried = try_methods(step); !tried) return tried;
  }
  if (step != Step::kDone) return tl::unexpected(refused_error());
  if (means_.only_prompts && answers_ == 0) {
    return fail(Errc::kForbidden, "ssh.login",
                login() + ": the server lets in without asking for anything, which proves nothing");
  }
  return {};
}

// One pass over the methods; a partial success begins the next pass with what is still wanted.
Status SshAuthenticator::try_methods(Step& step) {
  std::vector<std::string> order = config_.preferred_methods;
  if (order.empty()) {
    order = {std::string(kPublicKey), std::string(kInteractive), std::string(kPassword)};
  }
  for (const auto& name : order) {
    const int answers_before = answers_;
    step = method(name);
    if (fatal_) return tl::unexpected(*fatal_);
    if (step == Step::kLost) return tl::unexpected(lost_error());
    if (step != Step::kRefused) return {};
    // Whoever counts wrong answers counts attempts.
    if (means_.only_prompts && answers_ > answers_before) break;
  }
  return tl::unexpected(refused_error());
}

SshAuthenticator::Step SshAuthenticator::method(const std::string& name) {
  if (name == kPublicKey && config_.public_key_allowed && !means_.only_prompts &&
      server_takes(SSH_AUTH_METHOD_PUBLICKEY)) {
    return public_keys();
  }
  if (name == kInteractive && config_.keyboard_interactive_allowed && may_ask() &&
      server_takes(SSH_AUTH_METHOD_INTERACTIVE)) {
    return keyboard_interactive();
  }
  if (name == kPassword && config_.password_allowed && may_ask() &&
      server_takes(SSH_AUTH_METHOD_PASSWORD)) {
    return password();
  }
  return Step::kRefused;
}

SshAuthenticator::Step SshAuthenticator::public_keys() {
  // A key that was named and is in the agent needs no passphrase.
  Step step = means_.keys.empty() ? Step::kRefused : agent_keys(means_.keys, /*only=*/true);
  if (step == Step::kRefused) step = key_files(means_.keys, /*is_explicit=*/true);
  if (means_.only_keys) return step;
  if (step == Step::kRefused && !fatal_) {
    step = agent_keys(config_.identity_files, config_.identities_only);
  }
  if (step == Step::kRefused && !fatal_) {
    step = key_files(config_.identity_files, /*is_explicit=*/false);
  }
  return step;
}

SshAuthenticator::Step SshAuthenticator::agent_keys(const std::vector<std::string>& files,
                                                    bool only) {
  if (config_.agent_socket.empty()) return Step::kRefused;
  const AgentSocket agent(session_, config_.agent_socket, files, only, attempt_);
  if (!agent.connected()) return Step::kRefused;
  tried_.emplace_back("the keys of ssh-agent");
  return step_of(call([this] { return ssh_userauth_agent(session_, nullptr); }));
}

SshAuthenticator::Step SshAuthenticator::key_files(const std::vector<std::string>& paths,
                                                   bool is_explicit) {
  for (const auto& path : paths) {
    const Step step = key_file(path, is_explicit);
    if (step != Step::kRefused || fatal_) return step;
  }
  return Step::kRefused;
}

SshAuthenticator::Step SshAuthenticator::key_file(const std::string& path, bool is_explicit) {
  if (const auto usable = check_key_file(path); !usable) {
    const bool missing = usable.error().code == Errc::kNotFound;
    if (missing && !is_explicit) return Step::kRefused;
    Error problem = usable.error();
    problem.code = Errc::kConfig;
    if (is_explicit) fatal_ = problem;
    if (!first_problem_) first_problem_ = problem;
    return Step::kRefused;
  }
  const SshKeyPtr public_key = read_public_key(path);
  std::vector<std::string> certificates = config_.certificate_files;
  certificates.insert(certificates.begin(), path + "-cert.pub");
  for (const auto& file : certificates) {
    if (!public_key) break;
    const SshKeyPtr certificate = read_certificate(file, public_key.get());
    if (!certificate) continue;
    const Step step = offer(path, certificate.get(), certificate.get());
    if (step != Step::kRefused) return step;
  }
  return offer(path, public_key.get(), nullptr);
}

// The public half is offered first, so that nobody is asked for a passphrase in vain.
SshAuthenticator::Step SshAuthenticator::offer(const std::string& path, ssh_key public_key,
                                               ssh_key certificate) {
  tried_.push_back(certificate != nullptr ? path + " with its certificate" : path);
  if (public_key != nullptr) {
    const Step step =
        step_of(call([&] { return ssh_userauth_try_publickey(session_, nullptr, public_key); }));
    if (step != Step::kDone) return step;
  }
  return sign(path, certificate);
}

SshAuthenticator::Step SshAuthenticator::sign(const std::string& path, ssh_key certificate) {
  auto key = read_private_key(path, config_.prompts_max, may_ask(), prompter_);
  if (!key) {
    if (!first_problem_) first_problem_ = key.error();
    return Step::kRefused;
  }
  if (certificate != nullptr && ssh_pki_copy_cert_to_privkey(certificate, key->get()) != SSH_OK) {
    return Step::kRefused;
  }
  return step_of(call([&] { return ssh_userauth_publickey(session_, nullptr, key->get()); }));
}

SshAuthenticator::Step SshAuthenticator::keyboard_interactive() {
  Step step = Step::kRefused;
  for (int i = 0; i < tries_max() && step == Step::kRefused; ++i) {
    bool asked = false;
    step = answer_questions(asked);
    if (!asked) break;  // the server refuses without a question: asking again changes nothing
  }
  return step;
}

SshAuthenticator::Step SshAuthenticator::answer_questions(bool& asked) {
  const auto exchange = [this] { return ssh_userauth_kbdint(session_, nullptr, nullptr); };
  int rc = call(exchange);
  for (int round = 0; rc == SSH_AUTH_INFO && round < kInteractiveRoundsMax; ++round) {
    // The server's words once per round, then each question with whom it is for.
    std::string lead = text_of(ssh_userauth_kbdint_getname(session_));
    lead += text_of(ssh_userauth_kbdint_getinstruction(session_));
    if (!lead.empty()) lead += '\n';
    const int count = std::min(ssh_userauth_kbdint_getnprompts(session_), kQuestionsMax);
    for (int i = 0; i < count; ++i) {
      char echo = 0;
      const char* question =
          ssh_userauth_kbdint_getprompt(session_, static_cast<unsigned>(i), &echo);
      auto prompt = std::exchange(lead, {});
      prompt.append("(").append(login()).append(") ").append(text_of(question));
      auto answer = prompter_.ask(prompt, echo != 0);
      if (!answer) return Step::kRefused;
      if (!asked) tried_.emplace_back(kInteractive);
      asked = true;
      ++answers_;
      ssh_userauth_kbdint_setanswer(session_, static_cast<unsigned>(i), answer->c_str());
      wipe(*answer);
    }
    rc = call(exchange);
  }
  return step_of(rc);
}

SshAuthenticator::Step SshAuthenticator::password() {
  Step step = Step::kRefused;
  for (int i = 0; i < tries_max() && step == Step::kRefused; ++i) {
    auto answer = prompter_.ask(login() + "'s password: ", /*echo=*/false);
    if (!answer) break;
    if (i == 0) tried_.emplace_back(kPassword);
    ++answers_;
    step = step_of(call([&] { return ssh_userauth_password(session_, nullptr, answer->c_str()); }));
    wipe(*answer);
  }
  return step;
}

int SshAuthenticator::call(const std::function<int()>& userauth) {
  return repeat_ssh_call(session_, attempt_, SSH_AUTH_AGAIN, userauth);
}

SshAuthenticator::Step SshAuthenticator::step_of(int rc) {
  switch (rc) {
    case SSH_AUTH_SUCCESS:
      return Step::kDone;
    case SSH_AUTH_PARTIAL:
      return Step::kPartial;
    default:
      // An error of one key (an agent that fails to sign) is no reason to stop while the server
      // still listens.
      if (attempt_.overdue() || attempt_.cancelled()) return Step::kLost;
      return ssh_session_lives(session_) ? Step::kRefused : Step::kLost;
  }
}

bool SshAuthenticator::server_takes(unsigned method) const {
  return (static_cast<unsigned>(ssh_userauth_list(session_, nullptr)) & method) != 0;
}

std::string SshAuthenticator::methods_taken() const {
  std::vector<std::string> takes;
  constexpr std::array<std::pair<unsigned, std::string_view>, 4> kMethods = {
      {{SSH_AUTH_METHOD_PUBLICKEY, kPublicKey},
       {SSH_AUTH_METHOD_INTERACTIVE, kInteractive},
       {SSH_AUTH_METHOD_PASSWORD, kPassword},
       {SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic (not supported here)"}}};
  for (const auto& [method, name] : kMethods) {
    if (server_takes(method)) takes.emplace_back(name);
  }
  return takes.empty() ? "nothing more" : join(takes);
}

Error SshAuthenticator::refused_error() const {
  if (first_problem_) return *first_problem_;
  if (means_.only_prompts) return wrong_answer_error();
  return {
      Errc::kUnauthorized, "ssh.login",
      login() + ": the server accepted none of: " +
          (tried_.empty() ? "nothing (no key was found, and there is nobody to ask for a password)"
                          : join(tried_)) +
          "; it takes " + methods_taken() +
          ". Check the user name, name a key with --identity, or load it with ssh-add"};
}

Error SshAuthenticator::wrong_answer_error() const {
  if (answers_ > 0) {
    return {Errc::kUnauthorized, "ssh.login", login() + ": the server did not accept the answer"};
  }
  return {Errc::kForbidden, "ssh.login",
          login() + ": the server asked for no password and no code; it takes " + methods_taken()};
}

Error SshAuthenticator::lost_error() const {
  if (const auto overdue = attempt_.overdue()) {
    return {Errc::kTimeout, "ssh.login", login() + ": " + *overdue};
  }
  const std::string text = ssh_error_text(session_);
  if (text.find("Too many authentication failures") == std::string::npos) {
    return {Errc::kSsh, "ssh.login", login() + ": the server hung up: " + text};
  }
  return {Errc::kUnauthorized, "ssh.login",
          login() + ": the server hung up after too many keys (" + join(tried_) +
              "); name the right one with --identity and set IdentitiesOnly yes in ~/.ssh/config"};
}

}  // namespace hpc
