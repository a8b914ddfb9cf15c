#include "node-proxy/job_comment.h"

#include <utility>
#include <vector>

namespace hpc {

namespace {

constexpr std::string_view kOurs = "hpc1 ";
// What squeue prints for a job without a comment.
constexpr std::string_view kNone = "(null)";

std::string_view without_last_line_end(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string job_comment(const std::string& host, std::uint16_t port) {
  return std::string(kOurs) + host + ":" + std::to_string(port);
}

bool may_replace_comment(std::string_view printed) {
  const auto text = without_last_line_end(printed);
  return text.empty() || text == kNone || text.starts_with(kOurs);
}

JobCommentWriter::JobCommentWriter(Loop& loop, std::string job_id, std::string comment, Done done)
    : loop_(loop),
      job_id_(std::move(job_id)),
      comment_(std::move(comment)),
      done_(std::move(done)) {
  asking_ = std::make_unique<ChildOutput>(
      loop_, std::vector<std::string>{"squeue", "-h", "-j", job_id_, "-o", "%k"},
      [this](const ChildOutput::Answer& answer) { on_printed(answer); });
}

void JobCommentWriter::on_printed(const ChildOutput::Answer& answer) {
  if (!answer.ok) return done_("squeue does not tell the job's comment");
  if (without_last_line_end(answer.text) == comment_) return done_("");
  if (!may_replace_comment(answer.text)) return done_("the job has a comment of somebody else's");
  telling_ = std::make_unique<ChildOutput>(
      loop_,
      std::vector<std::string>{"scontrol", "update", "JobId=" + job_id_, "Comment=" + comment_},
      [this](const ChildOutput::Answer& told) {
        done_(told.ok ? "" : "scontrol does not change the job's comment");
      });
}

}  // namespace hpc
