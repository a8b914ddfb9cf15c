#include "manager/gateway/form_fields.h"

#include "common/http_rules.h"

namespace hpc {

namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

bool lies_at(std::string_view path, std::string_view page) {
  return path.substr(0, path.find('?')) == page;
}

}  // namespace

std::optional<FormFields> FormFields::parse(std::string_view text) {
  FormFields form;
  while (!text.empty()) {
    const auto end = text.find('&');
    const auto pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto name = decoded(pair.substr(0, equals));
    auto value = decoded(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (!name || !value || form.fields_.size() == kFormFieldsMax) return std::nullopt;
    form.fields_.emplace_back(std::move(*name), std::move(*value));
  }
  return form;
}

std::optional<std::string> FormFields::find(std::string_view name) const {
  std::optional<std::string> found;
  for (const auto& [key, value] : fields_) {
    if (key != name) continue;
    if (found) return std::nullopt;
    found = value;
  }
  return found;
}

std::string_view query_of(std::string_view target) {
  const auto mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::string local_path(std::string_view text) {
  const bool path = text.starts_with('/') && !text.starts_with("//") &&
                    text.size() <= kNextBytesMax && text.find('\\') == std::string_view::npos &&
                    end_of_run(text, 0, kTargetBytes) == text.size();
  if (!path || lies_at(text, "/login") || lies_at(text, "/logout")) return "/";
  return std::string(text);
}

std::string escape_query(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/-._~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte / 16];
    out += kHex[byte % 16];
  }
  return out;
}

}  // namespace hpc
