#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace hpc {

constexpr std::size_t kTemplateBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kTemplatesMax = 200;

/// The job scripts that sessions are started with: those of slurm-scripts/, built in, and those of
/// the operator's directory, NAME.sbatch, which replace built-in ones of the same name. The shared
/// hpc-proxy.sh can be replaced in the same way; other files there are not looked at.
class JobTemplates {
 public:
  /// Reads and checks `directory`, if any. kConfig: names the file and what is wrong with it: no
  /// "#!" line, a name that is no session name, too large, writable for others; or the directory
  /// cannot be read, is writable for others, or has more than kTemplatesMax.
  static Result<JobTemplates> load(const std::optional<std::string>& directory);

  bool has(const std::string& ide) const { return texts_.contains(ide); }
  std::vector<std::string> names() const;

  struct Values {
    std::string ide;
    std::string session;       // opaque id, 32 hex digits
    std::string url_template;  // "https://HOST/user/U/C/I/port/{port}/"
  };
  /// The whole script for sbatch's stdin: the template with, in front of its first command, what it
  /// finds in its environment (HPC_SESSION_ID, HPC_SESSION_DIR: 0700 and made, HPC_PROXY_SCRIPTS:
  /// where the shared hpc-proxy.sh lies, HPC_PROXY_URL_TEMPLATE). kNotFound: no such template, with
  /// the names of those that there are; kBadRequest: a value that does not pass.
  Result<std::string> script(const Values& values) const;

 private:
  Status add_directory(const std::string& directory);
  Status add(const std::string& directory, const std::string& name);

  std::map<std::string, std::string> texts_;  // by ide
  std::string shared_;                        // hpc-proxy.sh
};

}  // namespace hpc
