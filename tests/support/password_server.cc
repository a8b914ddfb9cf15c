#include "tests/support/password_server.h"

#include <arpa/inet.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

namespace hpc {
namespace {

int check_password(ssh_session /*session*/, const char* /*user*/, const char* password,
                   void* accepts) noexcept {
  const auto& wanted = static_cast<PasswordServer::Accepts*>(accepts)->password;
  return !wanted.empty() && wanted == password ? SSH_AUTH_SUCCESS : SSH_AUTH_DENIED;
}

int let_in(ssh_session /*session*/, const char* /*user*/, void* accepts) noexcept {
  return static_cast<PasswordServer::Accepts*>(accepts)->anybody ? SSH_AUTH_SUCCESS
                                                                 : SSH_AUTH_DENIED;
}

int on_message(ssh_session session, ssh_message message, void* accepts) noexcept {
  const auto& wanted = static_cast<PasswordServer::Accepts*>(accepts)->code;
  if (wanted.empty() || ssh_message_type(message) != SSH_REQUEST_AUTH ||
      ssh_message_subtype(message) != SSH_AUTH_METHOD_INTERACTIVE) {
    return 1;
  }
  if (ssh_message_auth_kbdint_is_response(message) == 0) {
    const char* prompts[] = {"Code: "};
    char echo[] = {1};
    ssh_message_auth_interactive_request(message, "Two steps", "Look at your token", 1, prompts,
                                         echo);
    return 0;
  }
  const char* answer = ssh_userauth_kbdint_getanswer(session, 0);
  if (answer == nullptr || wanted != answer) return 1;
  ssh_message_auth_reply_success(message, 0);
  return 0;
}

}  // namespace

PasswordServer::PasswordServer(Accepts accepts) : accepts_(std::move(accepts)) {
  make_key(folder_.path("hostkey"));
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 8) != 0) {
    throw std::runtime_error("no port for the password server");
  }
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

PasswordServer::~PasswordServer() {
  stopping_ = true;
  thread_.join();
}

std::string PasswordServer::known_hosts_line() const {
  return "[127.0.0.1]:" + std::to_string(port_) + " " + read_file(folder_.path("hostkey.pub"));
}

void PasswordServer::serve() {
  ssh_bind bind = ssh_bind_new();
  bool no = false;
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HOSTKEY, folder_.path("hostkey").c_str());
  ssh_bind_set_fd(bind, listener_);
  while (!stopping_) {
    pollfd wait{listener_, POLLIN, 0};
    if (poll(&wait, 1, 20) > 0) serve_one(bind);
  }
  ssh_bind_free(bind);
}

void PasswordServer::serve_one(void* bind) {
  ssh_session session = ssh_new();
  ssh_server_callbacks_struct callbacks{};
  callbacks.userdata = &accepts_;
  callbacks.auth_password_function = check_password;
  callbacks.auth_none_function = let_in;
  ssh_callbacks_init(&callbacks);
  ssh_event event = ssh_event_new();
  if (ssh_bind_accept(static_cast<ssh_bind>(bind), session) == SSH_OK) {
    ssh_set_server_callbacks(session, &callbacks);
    ssh_set_message_callback(session, on_message, &accepts_);
    const unsigned methods = (accepts_.password.empty() ? 0 : SSH_AUTH_METHOD_PASSWORD) |
                             (accepts_.code.empty() ? 0 : SSH_AUTH_METHOD_INTERACTIVE);
    ssh_set_auth_methods(session, static_cast<int>(methods));
    if (ssh_handle_key_exchange(session) == SSH_OK && ssh_event_add_session(event, session) == 0) {
      while (!stopping_ && ssh_event_dopoll(event, 20) != SSH_ERROR) {
      }
      ssh_event_remove_session(event, session);
    }
  }
  ssh_event_free(event);
  ssh_disconnect(session);
  ssh_free(session);
}

}  // namespace hpc
