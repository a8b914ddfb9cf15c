#include "manager/slurm/job_request.h"

#include <algorithm>

#include "manager/slurm/account_query.h"

namespace hpc {

namespace {

constexpr std::size_t kTimeBytesMax = 32;
constexpr std::size_t kMemoryDigitsMax = 9;
constexpr std::size_t kNameBytesMax = 64;
// 64 bits: two sessions of one user never have the same.
constexpr std::size_t kSessionKeyBytes = 16;
constexpr std::string_view kNameBegin = "hpc-";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_digits(std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), is_digit);
}

/// A name that sbatch could take for nothing but a name: never an option, a list or a path.
bool is_slurm_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         (is_letter(text.front()) || is_digit(text.front())) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
         });
}

/// Collects arguments; remembers the first value that does not pass.
class Arguments {
 public:
  void number(const char* option, const std::optional<std::uint64_t>& value, std::uint64_t max) {
    if (!value) return;
    if (*value < 1 || *value > max) return refuse(option);
    words_.push_back(option + std::to_string(*value));
  }

  void text(const char* option, std::string_view value, bool (*passes)(std::string_view)) {
    if (value.empty()) return;
    if (!passes(value)) return refuse(option);
    words_.push_back(option + std::string(value));
  }

  Result<std::vector<std::string>> take() {
    if (refused_ == nullptr) return std::move(words_);
    // The value is not shown: it may be anything.
    return fail(Errc::kBadRequest, "job request",
                "the value of " + std::string(refused_) + " is none that SLURM is given");
  }

 private:
  void refuse(const char* option) {
    if (refused_ == nullptr) refused_ = option;
  }

  std::vector<std::string> words_;
  const char* refused_ = nullptr;
};

}  // namespace

bool is_slurm_memory(std::string_view text) {
  if (!text.empty() && std::string_view("KMGT").find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  return is_digits(text, kMemoryDigitsMax);
}

bool is_slurm_time(std::string_view text) {
  if (text.empty() || text.size() > kTimeBytesMax) return false;
  const auto dash = text.find('-');
  if (dash != std::string_view::npos && !is_digits(text.substr(0, dash), kTimeBytesMax)) {
    return false;
  }
  auto rest = dash == std::string_view::npos ? text : text.substr(dash + 1);
  int parts = 0;
  while (true) {
    const auto colon = rest.find(':');
    if (!is_digits(rest.substr(0, colon), kTimeBytesMax)) return false;
    ++parts;
    if (colon == std::string_view::npos) return parts <= 3;
    rest.remove_prefix(colon + 1);
  }
}

bool is_slurm_partition(std::string_view text) { return is_slurm_name(text); }
bool is_slurm_job_name(std::string_view text) { return is_slurm_name(text); }

std::string session_job_name(std::string_view ide, std::string_view session) {
  constexpr std::size_t kIdeBytesMax = kNameBytesMax - kNameBegin.size() - 1 - kSessionKeyBytes;
  return std::string(kNameBegin) + std::string(ide.substr(0, kIdeBytesMax)) + "-" +
         std::string(session.substr(0, kSessionKeyBytes));
}

Result<std::vector<std::string>> sbatch_arguments(const JobRequest& request) {
  Arguments arguments;
  arguments.number("--cpus-per-task=", request.cpus, kJobCpusMax);
  arguments.number("--gres=gpu:", request.gpus, kJobGpusMax);
  arguments.text("--mem=", request.memory, is_slurm_memory);
  arguments.text("--time=", request.time, is_slurm_time);
  arguments.text("--partition=", request.partition, is_slurm_partition);
  arguments.text("--account=", request.account, is_account_name);
  return arguments.take();
}

}  // namespace hpc
