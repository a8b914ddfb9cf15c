#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hpc {

/// Puts the keys of an agent's answer (SSH_AGENT_IDENTITIES_ANSWER of the ssh-agent protocol,
/// without its length) in the order in which they are to be offered: those of `preferred` (public
/// key blobs) and certificates for them first; the others after them, or with `only` not at all. An
/// answer of another kind, or one that is cut short, is returned as it is.
std::string sort_agent_identities(std::string_view answer,
                                  const std::vector<std::string>& preferred, bool only);

}  // namespace hpc
