#include "manager/gateway/trusted_proxies.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "common/http_rules.h"

namespace hpc {

namespace {

using Address = std::array<unsigned char, 16>;

// RFC 4291, 2.5.5.2: how an IPv4 address is written as an IPv6 one.
constexpr unsigned kMappedBits = 96;
constexpr std::array<unsigned char, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct ParsedAddress {
  Address bytes;
  bool v4 = false;  // as it was written
};

std::optional<ParsedAddress> parse_address(std::string_view text) {
  const std::string name(text);
  ParsedAddress address;
  if (inet_pton(AF_INET6, name.c_str(), address.bytes.data()) == 1) return address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
  address.v4 = true;
  if (inet_pton(AF_INET, name.c_str(), address.bytes.data() + kMappedPrefix.size()) == 1) {
    return address;
  }
  return std::nullopt;
}

bool bit_of(const Address& address, unsigned bit) {
  return ((address[bit / 8] >> (7 - bit % 8)) & 1U) != 0;
}

bool zero_behind(const Address& address, unsigned bits) {
  for (unsigned bit = bits; bit < 128; ++bit) {
    if (bit_of(address, bit)) return false;
  }
  return true;
}

bool equal_up_to(const Address& a, const Address& b, unsigned bits) {
  if (std::memcmp(a.data(), b.data(), bits / 8) != 0) return false;
  for (unsigned bit = bits / 8 * 8; bit < bits; ++bit) {
    if (bit_of(a, bit) != bit_of(b, bit)) return false;
  }
  return true;
}

std::optional<unsigned> parse_bits(std::string_view text, unsigned most) {
  unsigned bits = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool plain = failed == std::errc{} && end == text.data() + text.size() &&
                     (text.size() == 1 || text.front() != '0');
  if (!plain || bits > most) return std::nullopt;
  return bits;
}

/// An element of X-Forwarded-For without the port that some proxies write.
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  if (std::count(text.begin(), text.end(), ':') == 1) return text.substr(0, text.find(':'));
  return text;
}

std::vector<std::string_view> forwarded_for(const FieldList& fields) {
  std::vector<std::string_view> hops;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (!equals_ignoring_case(field.name, "X-Forwarded-For")) continue;
    std::string_view list = field.value;
    while (list.data() != nullptr) hops.push_back(next_list_element(list));
  }
  return hops;
}

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& networks) {
  TrustedProxies proxies;
  for (const std::string& text : networks) {
    const auto slash = text.find('/');
    const auto address = parse_address(std::string_view(text).substr(0, slash));
    const auto bad = [&text](std::string_view why) {
      return fail(Errc::kUsage, "--trusted-proxy",
                  "\"" + text + "\" " + std::string(why) +
                      "; write a network as 10.0.0.0/8 or fd00::/8, one machine as 127.0.0.1");
    };
    if (!address) return bad("is no numeric address");
    unsigned bits = 128;
    if (slash != std::string::npos) {
      const auto given =
          parse_bits(std::string_view(text).substr(slash + 1), address->v4 ? 32 : 128);
      if (!given) return bad("has no good length behind the slash");
      bits = *given + (address->v4 ? kMappedBits : 0);
    }
    if (!zero_behind(address->bytes, bits)) return bad("names a machine and a network at once");
    proxies.networks_.push_back({address->bytes, bits});
  }
  return proxies;
}

bool TrustedProxies::contains(std::string_view text) const {
  const auto address = parse_address(text);
  return address && std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
           return equal_up_to(network.address, address->bytes, network.bits);
         });
}

std::string TrustedProxies::client_address(const FieldList& fields, std::string_view peer) const {
  if (!contains(peer)) return std::string(peer);
  const auto hops = forwarded_for(fields);
  std::string_view client = peer;
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const auto address = without_port(*hop);
    if (!parse_address(address)) break;
    client = address;
    if (!contains(address)) break;
  }
  return std::string(client);
}

}  // namespace hpc
