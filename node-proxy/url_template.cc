#include "node-proxy/url_template.h"

#include <string_view>

namespace hpc {

namespace {

constexpr std::string_view kPlace = "{port}";

std::string fill(std::string url_template, std::string_view text) {
  const std::size_t at = url_template.find(kPlace);
  if (at != std::string::npos) url_template.replace(at, kPlace.size(), text);
  return url_template;
}

}  // namespace

std::string fill_url(std::string url_template, const std::string& port) {
  std::string url = fill(std::move(url_template), port);
  // `hpc-manager connect` listens there unless it is told otherwise.
  if (url.starts_with('/')) url.insert(0, "http://127.0.0.1:9000");
  return url;
}

std::string vscode_template(std::string url_template) {
  return fill(std::move(url_template), "{{port}}");
}

}  // namespace hpc
