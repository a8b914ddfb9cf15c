#include "manager/session/default_account.h"

#include <utility>

#include "common/hello.h"
#include "manager/session/next_turn.h"

namespace hpc {

std::unique_ptr<Pending> DefaultAccount::ask(const Exec& exec, Done done) {
  if (!is_account_name(user_)) {
    return std::make_unique<NextTurn>(scheduler_,
                                      [done = std::move(done)] { done(AccountAnswer{}); });
  }
  if (scheduler_.now_ms() < good_until_ms_) {
    return std::make_unique<NextTurn>(scheduler_,
                                      [answer = answer_, done = std::move(done)] { done(answer); });
  }
  const auto marker = random_hex64();
  return exec(account_query_script(user_, marker),
              [this, marker, done = std::move(done)](const Result<ExecOutput>& output) {
                remember(output ? parse_account_query(output->out, marker) : AccountAnswer{});
                done(answer_);
              });
}

void DefaultAccount::remember(AccountAnswer answer) {
  const bool unknown = answer.state == AccountAnswer::State::kUnknown;
  answer_ = std::move(answer);
  good_until_ms_ = scheduler_.now_ms() + (unknown ? kAccountUnknownMs : kAccountKnownMs);
}

}  // namespace hpc
