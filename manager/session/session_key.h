#pragma once
#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace hpc {

// Longest user, cluster or ide name. Login names of 32 bytes and host labels of 63 fit.
constexpr std::size_t kSessionNameBytesMax = 64;
// Sessions of one kind side by side; the table's own limits are lower.
constexpr unsigned kSlotMax = 999;

/// Which session: whose, on which cluster, of which kind, and the how-manieth of that kind. Always
/// compared as a struct, never as text: "a-b" and "c" joined is the same text as "a" and "b-c".
struct SessionKey {
  std::string user;
  std::string cluster;
  std::string ide;
  unsigned slot = 1;  // 1..kSlotMax

  auto operator<=>(const SessionKey&) const = default;
};

/// [a-z0-9][a-z0-9._-]{0,63}: what user, cluster and ide may be. None of them can be "..", hold a
/// slash or need escaping in a URL, a file name or a cookie path.
bool is_session_name(std::string_view text);

/// "/user/alice/main/vscode", "/user/alice/main/vscode~2": where the session is on the web.
std::string path_of(const SessionKey& key);

/// "alice-main-vscode", "alice-main-vscode~2": for people only; two keys may have the same.
std::string text_of(const SessionKey& key);

/// A key at the front of a request target, on raw bytes.
struct SessionPath {
  SessionKey key;
  std::string_view prefix;  // "/user/alice/main/vscode", a view into the target
  std::string_view rest;    // behind it: "", or begins with '/' or '?'
};

/// Nothing unless `target` begins with exactly what path_of() writes, followed by '/', '?' or its
/// end. "~1", "~02" and "~" are no slots: one session has one path.
std::optional<SessionPath> parse_session_path(std::string_view target);

}  // namespace hpc
