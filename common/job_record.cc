#include "common/job_record.h"

#include <arpa/inet.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "common/private_address.h"
#include "common/rfc3339.h"

namespace hpc {

namespace {

constexpr std::size_t kHostBytesMax = 253;       // the longest DNS name
constexpr std::size_t kIdBytesMax = 320;         // a SLURM id, a host name and a process id
constexpr std::size_t kAddressesMax = 16;        // a node with more interfaces lists the first ones
constexpr std::size_t kPrivateAddressesMax = 2;  // for 127.0.0.1 and for ::1
constexpr std::size_t kVersionBytesMax = 64;     // "0.1.0" and what a packager adds
constexpr std::size_t kUnixPathBytesMax = 107;   // sun_path less its NUL
constexpr unsigned kPortReadMin = 1024;          // below is never ours, and may be sshd's

tl::unexpected<Error> bad(std::string_view field, std::string_view rule) {
  // Only names of ours and rules: a value may be the token, or an attack on a terminal.
  return fail(Errc::kBadRequest, "job record", std::string(field).append(" ").append(rule));
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

/// Letters, digits, dot, dash, underscore; never a leading dash, which a program would take for an
/// option, nor a leading dot, which would make "..".
bool is_plain_name(std::string_view text, std::size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && text.front() != '-' && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), is_name_char);
}

bool is_printable(std::string_view text, std::size_t bytes_max) {
  return text.size() <= bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> scratch{};
  return inet_pton(AF_INET, text.c_str(), scratch.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), scratch.data()) == 1;
}

using Json = rapidjson::Value;

/// Reads the members of one object. Remembers the first failure; later calls do nothing.
class Reader {
 public:
  explicit Reader(const Json& object) : object_(object) {}

  /// nullptr when absent or null, which is a failure unless `optional`.
  const Json* member(const char* name, bool optional) {
    if (!ok_) return nullptr;
    const Json* found = nullptr;
    for (const auto& entry : object_.GetObject()) {
      if (std::string_view(entry.name.GetString(), entry.name.GetStringLength()) != name) continue;
      if (found != nullptr) return refuse(name, "is there twice");
      found = &entry.value;
    }
    if (found != nullptr && !found->IsNull()) return found;
    return optional ? nullptr : refuse(name, "is missing");
  }

  std::string text(const char* name) {
    const Json* value = member(name, false);
    return value != nullptr ? as_text(name, *value) : std::string();
  }

  std::optional<std::string> optional_text(const char* name) {
    const Json* value = member(name, true);
    if (value == nullptr) return std::nullopt;
    return as_text(name, *value);
  }

  std::int64_t integer(const char* name, std::int64_t low, std::int64_t high) {
    const Json* value = member(name, false);
    if (value == nullptr) return 0;
    if (!value->IsInt64() || value->GetInt64() < low || value->GetInt64() > high) {
      refuse(name,
             "must be an integer from " + std::to_string(low) + " to " + std::to_string(high));
      return 0;
    }
    return value->GetInt64();
  }

  void require(bool holds, const char* name, std::string_view rule) {
    if (ok_ && !holds) refuse(name, rule);
  }

  const Status& status() const { return ok_; }

 private:
  std::string as_text(const char* name, const Json& value) {
    if (!value.IsString()) {
      refuse(name, "must be a string");
      return {};
    }
    return {value.GetString(), value.GetStringLength()};
  }

  const Json* refuse(const char* name, std::string_view rule) {
    ok_ = bad(name, rule);
    return nullptr;
  }

  const Json& object_;
  Status ok_;
};

std::string text_or_empty(const Json& value) {
  return value.IsString() ? std::string(value.GetString(), value.GetStringLength()) : std::string();
}

void read_addresses(Reader& reader, JobRecord& record) {
  const Json* list = reader.member("addresses", false);
  if (list == nullptr) return;
  reader.require(list->IsArray() && list->Size() <= kAddressesMax, "addresses",
                 "must be a list of at most 16 numeric addresses");
  if (!reader.status()) return;
  for (const auto& entry : list->GetArray()) {
    std::string address = text_or_empty(entry);
    // A NUL inside would let inet_pton see less than is compared and shown later.
    reader.require(address.find('\0') == std::string::npos && is_address(address), "addresses",
                   "must hold numeric addresses only");
    record.addresses.push_back(std::move(address));
  }
}

void read_private(Reader& reader, JobRecord& record) {
  constexpr const char* kName = "private";
  const Json* found = reader.member(kName, true);
  if (found == nullptr) return;
  reader.require(found->IsObject(), kName, "must be an object or null");
  if (!reader.status()) return;
  Reader inner(*found);
  JobRecord::Private value;
  value.mode = inner.text("mode");
  const Json* list = inner.member("addresses", false);
  reader.require(inner.status().has_value() && list->IsArray(), kName, "needs mode and addresses");
  reader.require(value.mode == "loopback" || value.mode == "netns", kName,
                 "mode must be loopback or netns");
  if (!reader.status()) return;
  reader.require(list->Size() <= kPrivateAddressesMax, kName, "has at most 2 addresses");
  for (const auto& entry : list->GetArray()) {
    value.addresses.push_back(text_or_empty(entry));
    reader.require(is_private_address(value.addresses.back()), kName,
                   "has addresses of 127.64.0.0/10 only");
  }
  record.private_ports = std::move(value);
}

void read_app(Reader& reader, JobRecord& record) {
  const Json* app = reader.member("app", true);
  if (app == nullptr) return;
  reader.require(app->IsObject(), "app", "must be an object or null");
  if (!reader.status()) return;
  Reader inner(*app);
  JobRecord::App value;
  value.target = inner.text("target");
  const Json* keep = inner.member("keep_prefix", false);
  reader.require(inner.status().has_value() && keep->IsBool(), "app",
                 "needs target and keep_prefix");
  if (!reader.status()) return;
  value.keep_prefix = keep->GetBool();
  reader.require(is_app_target(value.target), "app", "target must be a port or unix:/PATH");
  record.app = std::move(value);
}

bool is_time(const std::string& text) { return parse_rfc3339(text).has_value(); }

void check_texts(Reader& reader, const JobRecord& record) {
  constexpr std::string_view kNameRule = "must be letters, digits, '.', '-' and '_'";
  constexpr std::string_view kTimeRule = "must be a UTC time as in RFC 3339";
  reader.require(is_plain_name(record.host, kHostBytesMax), "host", kNameRule);
  reader.require(!record.slurm_node || is_plain_name(*record.slurm_node, kHostBytesMax),
                 "slurm_node", kNameRule);
  reader.require(is_plain_name(record.job_id, kIdBytesMax), "job_id", kNameRule);
  reader.require(!record.inside_run || is_plain_name(*record.inside_run, kIdBytesMax), "inside_run",
                 kNameRule);
  reader.require(is_token(record.token), "token", "must be 64 lower-case hex digits");
  reader.require(is_time(record.started_at), "started_at", kTimeRule);
  reader.require(!record.job_end || is_time(*record.job_end), "job_end", kTimeRule);
  reader.require(is_printable(record.program_version, kVersionBytesMax), "program_version",
                 "must be at most 64 printable characters");
}

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;

void put_text(JsonWriter& json, std::string_view text) {
  json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void put_optional(JsonWriter& json, const std::optional<std::string>& text) {
  if (text) {
    put_text(json, *text);
  } else {
    json.Null();
  }
}

void put_app(JsonWriter& json, const std::optional<JobRecord::App>& app) {
  if (!app) {
    json.Null();
    return;
  }
  json.StartObject();
  json.Key("target");
  put_text(json, app->target);
  json.Key("keep_prefix");
  json.Bool(app->keep_prefix);
  json.EndObject();
}

void put_private(JsonWriter& json, const JobRecord::Private& value) {
  json.Key("private");
  json.StartObject();
  json.Key("mode");
  put_text(json, value.mode);
  json.Key("addresses");
  json.StartArray();
  for (const std::string& address : value.addresses) put_text(json, address);
  json.EndArray();
  json.EndObject();
}

}  // namespace

bool is_app_target(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) {
    const std::string_view path = text.substr(kUnix.size());
    return path.size() > 1 && path.front() == '/' && is_printable(path, kUnixPathBytesMax);
  }
  unsigned port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || port > 65535) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return !text.empty() && text.front() != '0' && port <= 65535;
}

bool is_token(std::string_view text) {
  constexpr std::size_t kTokenDigits = 64;
  return text.size() == kTokenDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string write_job_record(const JobRecord& record) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  json.Key("version");
  json.Int(record.version);
  json.Key("host");
  put_text(json, record.host);
  json.Key("slurm_node");
  put_optional(json, record.slurm_node);
  json.Key("addresses");
  json.StartArray();
  for (std::size_t i = 0; i < std::min(record.addresses.size(), kAddressesMax); ++i) {
    put_text(json, record.addresses[i]);
  }
  json.EndArray();
  json.Key("port");
  json.Uint(record.port);
  json.Key("pid");
  json.Int64(record.pid);
  json.Key("uid");
  json.Uint(record.uid);
  json.Key("token");
  put_text(json, record.token);
  json.Key("job_id");
  put_text(json, record.job_id);
  json.Key("app");
  put_app(json, record.app);
  json.Key("started_at");
  put_text(json, record.started_at);
  json.Key("job_end");
  put_optional(json, record.job_end);
  json.Key("program_version");
  put_text(json, record.program_version);
  if (record.private_ports) put_private(json, *record.private_ports);
  if (record.inside_run) {
    json.Key("inside_run");
    put_text(json, *record.inside_run);
  }
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

Result<JobRecord> parse_job_record(std::string_view text) {
  if (text.size() > kJobRecordBytesMax) return bad("file", "is larger than 4 KiB");
  // RapidJSON takes a NUL for the end of the text and would not see what follows it.
  if (text.find('\0') != std::string_view::npos) return bad("file", "holds a NUL byte");
  rapidjson::Document document;
  // Iterative: a file of nothing but brackets must not use up the stack.
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      text.data(), text.size());
  if (document.HasParseError()) return bad("file", "is not JSON");
  if (!document.IsObject()) return bad("file", "is not a JSON object");

  Reader reader(document);
  JobRecord record;
  record.version =
      static_cast<int>(reader.integer("version", 1, std::numeric_limits<std::int32_t>::max()));
  reader.require(record.version == 1, "version", "is newer than this program understands");
  record.host = reader.text("host");
  record.slurm_node = reader.optional_text("slurm_node");
  read_addresses(reader, record);
  record.port = static_cast<std::uint16_t>(reader.integer("port", kPortReadMin, 65535));
  record.pid = reader.integer("pid", 1, std::numeric_limits<std::int32_t>::max());
  record.uid = static_cast<std::uint32_t>(
      reader.integer("uid", 0, std::int64_t{std::numeric_limits<std::uint32_t>::max()} - 1));
  record.token = reader.text("token");
  record.job_id = reader.text("job_id");
  read_app(reader, record);
  record.started_at = reader.text("started_at");
  record.job_end = reader.optional_text("job_end");
  record.program_version = reader.text("program_version");
  read_private(reader, record);
  record.inside_run = reader.optional_text("inside_run");
  check_texts(reader, record);
  if (!reader.status()) return tl::unexpected<Error>(reader.status().error());
  return record;
}

}  // namespace hpc
