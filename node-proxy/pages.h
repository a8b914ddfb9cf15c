#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/answers.h"
#include "common/http_handler.h"
#include "node-proxy/node_proxy_state.h"
#include "node-proxy/port_list.h"

namespace hpc {

/// The answers that only hpc-proxy gives; the general ones are in common/answers.h. Each says what
/// happened and what to do next, shows the job and its end, and lists the ports of the user's that
/// do listen: only for those who were let in.
class Pages {
 public:
  /// Who looks, and from where.
  struct Asker {
    bool navigation = false;  // a person: a page, else problem+json
    std::string home;         // home_link()
  };

  /// Both must outlive this object.
  Pages(const NodeProxyState& state, PortSource& ports) : state_(state), ports_(ports) {}

  /// Nothing listens on `port`: 503 with Retry-After; the page loads itself anew until it does.
  LocalAnswer waiting(std::uint16_t port, const Asker& asker) const;
  /// Nothing listens on the Unix socket of the app behind /app/. As waiting().
  LocalAnswer waiting_for_socket(const Asker& asker) const;
  /// Nobody has said yet what the app behind /app/ is. As waiting().
  LocalAnswer no_app(const Asker& asker) const;
  /// Another problem: `title` heads the page, `detail` says why and what to do; both plain text.
  LocalAnswer problem(int status, std::string_view title, std::string_view detail,
                      const Asker& asker) const;
  /// The answer to /ports: a page for a person, JSON for everybody else.
  LocalAnswer ports(bool html) const;

 private:
  LocalAnswer answer(int status, std::string_view title, std::string_view detail,
                     const Asker& asker, std::string_view hint) const;
  std::string ports_json() const;
  std::string ports_html() const;

  const NodeProxyState& state_;
  PortSource& ports_;
};

/// From the page at `path` (without query) to hpc-proxy's own pages: put "ports" or "port/5500/"
/// behind it. Relative, so that it is right behind whatever cuts a prefix off; absolute where a
/// token holder gave an app a path that does not end as ours (/app as /user/U/C/I). `route_prefix`
/// and `external_prefix` are those of the request's route, empty where it has none.
std::string home_link(std::string_view path, std::string_view route_prefix,
                      std::string_view external_prefix);

/// Does whoever asks for /ports want a page?
bool wants_html(const RequestHead& head);

/// 401, the same bytes for everybody.
LocalAnswer unauthorized_answer();

}  // namespace hpc
