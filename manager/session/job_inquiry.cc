#include "manager/session/job_inquiry.h"

#include <utility>

#include "common/hello.h"

namespace hpc {

std::unique_ptr<Pending> ask_job_fate(SshConnection& connection, const std::string& job,
                                      std::function<void(const JobFateAnswer&)> done) {
  const auto marker = random_hex64();
  return connection.exec("sh -s", job_fate_script(job, marker), kJobInquiryTimeoutMs,
                         [marker, done = std::move(done)](const Result<ExecOutput>& output) {
                           done(output ? parse_job_fate(output->out, marker) : JobFateAnswer{});
                         });
}

}  // namespace hpc
