#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hpc {

// SLURM's own bound is larger; longer names are in nobody's use.
constexpr std::size_t kAccountBytesMax = 64;

/// The account that SLURM charges a user's jobs to where the job names none.
struct AccountAnswer {
  enum class State : std::uint8_t {
    kUnknown,  // could not be asked, or the answer is none: not a sign of anything
    kNone,     // the accounting does not know the user, or it has no default for him
    kKnown,
  };
  State state = State::kUnknown;
  std::string account;  // with kKnown

  bool operator==(const AccountAnswer&) const = default;
};

/// [A-Za-z0-9][A-Za-z0-9._-]{0,63}: nothing that sbatch or a shell could take for something else.
bool is_account_name(std::string_view text);

/// What to give to `sh -s` on stdin: `sacctmgr -n -P show user where name=USER
/// format=defaultaccount`. `user` must pass is_account_name(), whose rule holds for login names,
/// too; `marker` as in discovery.h.
std::string account_query_script(std::string_view user, std::string_view marker);

/// kKnown only where sacctmgr succeeded and printed the same one valid name in every line.
AccountAnswer parse_account_query(std::string_view output, std::string_view marker);

}  // namespace hpc
