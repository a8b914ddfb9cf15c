#include "common/socket_lookup.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

namespace hpc {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

SocketEnd mapped_end(const std::uint8_t* v4, std::uint16_t port) {
  SocketEnd end;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), end.address.begin());
  std::copy(v4, v4 + 4, end.address.begin() + kMappedPrefix.size());
  end.port = port;
  return end;
}

template <class T>
bool parse_number(std::string_view text, int base, T& value) {
  const char* last = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), last, value, base);
  return failed == std::errc{} && end == last;
}

/// "0100007F:1F90", as the kernel prints an address: words of 32 bits in the machine's order.
std::optional<SocketEnd> parse_proc_end(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < colon; i += 8) {
    std::uint32_t word = 0;
    if (!parse_number(text.substr(i, 8), 16, word)) return std::nullopt;
    std::memcpy(bytes.data() + i / 2, &word, sizeof word);
  }
  std::uint16_t port = 0;
  if (!parse_number(text.substr(colon + 1), 16, port)) return std::nullopt;
  if (colon == 8) return mapped_end(bytes.data(), port);
  return SocketEnd{bytes, port};
}

std::vector<std::string_view> split_words(std::string_view line, std::size_t words_max) {
  std::vector<std::string_view> words;
  while (words.size() < words_max) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const std::size_t size = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, size));
    line.remove_prefix(size);
  }
  return words;
}

constexpr int kListenerFitExact = 3;

// Lines are 150 bytes (tcp) and 200 (tcp6) and end in a newline; a longer one is not from the
// kernel.
constexpr std::size_t kProcLineBytesMax = 512;

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

class ProcLookup final : public SocketLookup {
 public:
  explicit ProcLookup(std::string proc_net) : proc_net_(std::move(proc_net)) {}

  Result<std::optional<SocketEntry>> find(const SocketEnd& local,
                                          const SocketEnd& remote) override {
    return best_of([&](const SocketEntry& entry) {
      return entry.local == local && entry.remote == remote ? kListenerFitExact : 0;
    });
  }

  Result<SocketLooks> find_with_listener(const SocketEnd& local, const SocketEnd& remote) override {
    // Two passes: in one, the connection could have been read before the listener.
    const auto listener = best_of([&](const SocketEntry& entry) {
      return entry.state == kTcpStateListen ? listener_fit(entry.local, local) : 0;
    });
    if (!listener) return tl::unexpected<Error>(listener.error());
    const auto connection = find(local, remote);
    if (!connection) return tl::unexpected<Error>(connection.error());
    return SocketLooks{*listener, *connection};
  }

 private:
  /// The entry for which `fit` is highest; none when it is 0 for all.
  template <class Fit>
  Result<std::optional<SocketEntry>> best_of(const Fit& fit) const {
    bool readable = false;
    int best_fit = 0;
    std::optional<SocketEntry> best;
    // A dual-stack socket with an IPv4 peer stands in tcp6, so an IPv4 question reads both.
    for (const char* table : {"/tcp", "/tcp6"}) {
      // C streams: iostreams would make the static hpc-proxy a third larger.
      const File file(std::fopen((proc_net_ + table).c_str(), "re"));
      if (!file) continue;
      readable = true;
      std::array<char, kProcLineBytesMax> line{};
      while (best_fit < kListenerFitExact &&
             std::fgets(line.data(), line.size(), file.get()) != nullptr) {
        const auto entry = parse_proc_net_line(line.data());
        const int entry_fit = entry ? fit(*entry) : 0;
        if (entry_fit <= best_fit) continue;
        best_fit = entry_fit;
        best = entry;
      }
    }
    if (!readable) return fail(Errc::kSystem, "socket owner", proc_net_ + "/tcp is not readable");
    return best;
  }

  std::string proc_net_;
};

class FallbackLookup final : public SocketLookup {
 public:
  FallbackLookup(std::unique_ptr<SocketLookup> netlink, std::unique_ptr<SocketLookup> proc)
      : netlink_(std::move(netlink)), proc_(std::move(proc)) {}

  Result<std::optional<SocketEntry>> find(const SocketEnd& local,
                                          const SocketEnd& remote) override {
    return first_of([&](SocketLookup& lookup) { return lookup.find(local, remote); });
  }
  Result<SocketLooks> find_with_listener(const SocketEnd& local, const SocketEnd& remote) override {
    return first_of([&](SocketLookup& lookup) { return lookup.find_with_listener(local, remote); });
  }

 private:
  static bool found_any(const std::optional<SocketEntry>& entry) { return entry.has_value(); }
  static bool found_any(const SocketLooks& looks) { return looks.listener || looks.connection; }

  template <class Ask>
  auto first_of(const Ask& ask) -> decltype(ask(std::declval<SocketLookup&>())) {
    if (!netlink_) return ask(*proc_);
    auto answer = ask(*netlink_);
    if (answer && found_any(*answer)) netlink_works_ = true;
    if (answer && netlink_works_) return answer;
    return ask(*proc_);
  }

  std::unique_ptr<SocketLookup> netlink_;  // null where the kernel has none
  std::unique_ptr<SocketLookup> proc_;
  bool netlink_works_ = false;
};

}  // namespace

int listener_fit(const SocketEnd& bound, const SocketEnd& local) {
  if (bound.port != local.port) return 0;
  if (bound.address == local.address) return kListenerFitExact;
  const SocketEnd any_v4 = mapped_end(std::array<std::uint8_t, 4>{}.data(), bound.port);
  if (local.is_v4() && bound == any_v4) return 2;
  // [::] takes IPv4 too, unless it is V6ONLY; then another socket is nearer, or nobody listens.
  return bound == SocketEnd{{}, bound.port} ? 1 : 0;
}

bool SocketEnd::is_v4() const {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
}

Result<SocketEnd> make_socket_end(const std::string& address, std::uint16_t port) {
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return mapped_end(bytes.data(), port);
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return SocketEnd{bytes, port};
  return fail(Errc::kBadRequest, "socket owner", "not a numeric address");
}

std::optional<SocketEntry> parse_proc_net_line(std::string_view line) {
  constexpr std::size_t kInodeColumn = 9;
  const auto words = split_words(line, kInodeColumn + 1);
  if (words.size() <= kInodeColumn) return std::nullopt;
  const auto local = parse_proc_end(words[1]);
  const auto remote = parse_proc_end(words[2]);
  SocketEntry entry;
  if (!local || !remote || !parse_number(words[3], 16, entry.state) ||
      !parse_number(words[7], 10, entry.uid) ||
      !parse_number(words[kInodeColumn], 10, entry.inode)) {
    return std::nullopt;
  }
  entry.local = *local;
  entry.remote = *remote;
  return entry;
}

std::unique_ptr<SocketLookup> make_proc_lookup(std::string proc_net) {
  return std::make_unique<ProcLookup>(std::move(proc_net));
}

std::unique_ptr<SocketLookup> make_fallback_lookup(std::unique_ptr<SocketLookup> netlink,
                                                   std::unique_ptr<SocketLookup> proc) {
  return std::make_unique<FallbackLookup>(std::move(netlink), std::move(proc));
}

std::unique_ptr<SocketLookup> make_system_lookup() {
  auto netlink = make_netlink_lookup();
  return make_fallback_lookup(netlink ? std::move(*netlink) : nullptr,
                              make_proc_lookup("/proc/net"));
}

}  // namespace hpc
