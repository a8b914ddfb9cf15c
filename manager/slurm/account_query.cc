#include "manager/slurm/account_query.h"

#include <algorithm>

#include "common/text_line.h"
#include "manager/slurm/slurm_answer.h"

namespace hpc {

namespace {

constexpr std::string_view kScript = R"sh(hpc_manager_account() {
  LC_ALL=C
  export LC_ALL
  said=$(sacctmgr -n -P show user where "name=$user" format=defaultaccount 2>/dev/null)
  status=$?
  printf '\n%s begin\nstatus %s\n' "$marker" "$status"
  printf '%s\n' "$said" | head -n 16 | sed 's/^/=/'
  printf '%s end\n' "$marker"
}
hpc_manager_account </dev/null
exit 0
)sh";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_account_byte(char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; }

/// "=demo" or, where there is a separator at the end of the line, "=demo|": "demo".
std::string_view account_in(std::string_view line) {
  line.remove_prefix(1);
  while (line.ends_with('|') || line.ends_with(' ')) line.remove_suffix(1);
  return line;
}

AccountAnswer judge(std::string_view lines) {
  AccountAnswer answer{AccountAnswer::State::kNone, ""};
  while (!lines.empty()) {
    const auto line = next_line(lines);
    if (!line.starts_with('=')) return {};
    const auto account = account_in(line);
    if (account.empty()) continue;
    const bool another = !answer.account.empty() && answer.account != account;
    if (another || !is_account_name(account)) return {};
    answer = {AccountAnswer::State::kKnown, std::string(account)};
  }
  return answer;
}

}  // namespace

bool is_account_name(std::string_view text) {
  return !text.empty() && text.size() <= kAccountBytesMax && is_letter_or_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), is_account_byte);
}

std::string account_query_script(std::string_view user, std::string_view marker) {
  return "marker=" + std::string(marker) + "\nuser=" + std::string(user) + "\n" +
         std::string(kScript);
}

AccountAnswer parse_account_query(std::string_view output, std::string_view marker) {
  auto text = marked_text(output, marker);
  if (!text || next_line(*text) != "status 0") return {};
  return judge(*text);
}

}  // namespace hpc
