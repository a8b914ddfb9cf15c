#include "manager/paths.h"

#include <cstdlib>

namespace hpc {

namespace {

// The XDG base directory specification: what is not absolute is to be ignored.
std::string directory(const EnvironmentLookup& environment, const char* name) {
  const char* value = environment(name);
  return value != nullptr && *value == '/' ? value : "";
}

std::string under(const std::string& folder, const char* rest) {
  if (folder.empty()) return "";
  return (folder.back() == '/' ? folder.substr(0, folder.size() - 1) : folder) + rest;
}

std::string first_of(std::string one, std::string other) {
  return one.empty() ? std::move(other) : std::move(one);
}

const char* from_process(const char* name) { return std::getenv(name); }

}  // namespace

std::string default_socket_path(const EnvironmentLookup& environment) {
  return first_of(under(directory(environment, "XDG_RUNTIME_DIR"), "/hpc-manager/socket"),
                  under(directory(environment, "HOME"), "/.local/state/hpc-manager/socket"));
}

std::string default_socket_path() { return default_socket_path(from_process); }

std::string default_state_path(const EnvironmentLookup& environment) {
  return first_of(under(directory(environment, "XDG_STATE_HOME"), "/hpc-manager/state.db"),
                  under(directory(environment, "HOME"), "/.local/state/hpc-manager/state.db"));
}

std::string default_state_path() { return default_state_path(from_process); }

}  // namespace hpc
