#pragma once
#include <string>

namespace hpc {

/// The template with the port in it; a bare path becomes a URL of the manager's default address.
std::string fill_url(std::string url_template, const std::string& port);

/// The same template in the words of code-server: {{port}}.
std::string vscode_template(std::string url_template);

}  // namespace hpc
