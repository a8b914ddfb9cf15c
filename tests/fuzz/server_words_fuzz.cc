// What a cluster says to the manager in single words and questions: sacctmgr's answer and an SSH
// server's prompts. Both end up in front of people, one on a command line, too.
#include <algorithm>
#include <string>

#include "common/utf8.h"
#include "manager/session/cluster_sign_in.h"
#include "manager/slurm/account_query.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const std::string marker(64, '5');
  const std::string text(fuzz_text(data, size));
  const auto answer =
      parse_account_query(marker + " begin\nstatus 0\n" + text + "\n" + marker + " end\n", marker);
  const bool known = answer.state == AccountAnswer::State::kKnown;
  require(known == is_account_name(answer.account), "an account where there is one, and a name");

  const std::string question = question_for_page(text);
  require(question.size() <= kSignInQuestionBytesMax, "questions within their limit");
  std::string_view rest = question;
  while (!rest.empty()) {
    const std::size_t length = rest.front() == '\n' ? 1 : printable_utf8_size(rest);
    require(length > 0, "nothing in a question that cannot be shown");
    rest.remove_prefix(length);
  }
  return 0;
}
