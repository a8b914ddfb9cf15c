// job_script IDE SESSION URL_TEMPLATE [DIRECTORY]: prints the script that hpc-manager gives to
// sbatch for that session, so that tests can submit it without a manager.
#include <cstdio>

#include "manager/session/job_templates.h"

namespace {

int print_script(int count, char** words) {
  if (count < 4) return 2;
  std::optional<std::string> directory;
  if (count > 4) directory = words[4];
  const auto templates = hpc::JobTemplates::load(directory);
  auto script = templates ? templates->script({words[1], words[2], words[3]})
                          : hpc::Result<std::string>(tl::unexpected(templates.error()));
  if (!script) {
    std::fprintf(stderr, "%s\n", hpc::describe(script.error()).c_str());
    return 1;
  }
  std::fwrite(script->data(), 1, script->size(), stdout);
  return 0;
}

}  // namespace

int main(int count, char** words) { return print_script(count, words); }
