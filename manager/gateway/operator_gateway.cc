#include "manager/gateway/operator_gateway.h"

#include <string>
#include <string_view>

#include "common/answers.h"

namespace hpc {

LocalAnswer ready_answer(const Status& ready) {
  if (ready) return json_answer(200, R"({"status":"ready"})");
  auto answer = problem_answer(503, ready.error().detail);
  answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  return answer;
}

Decision OperatorGateway::on_request(const RequestHead& head, ClientInfo& client) {
  client.authenticated = true;
  const auto path = std::string_view(head.target).substr(0, head.target.find('?'));
  if (path == "/api/v1" || path.starts_with("/api/v1/")) {
    Caller caller;
    caller.by = Caller::By::kOperator;
    caller.admin = true;
    return api_.handle(head, caller, true);
  }
  const bool reads = head.method == "GET" || head.method == "HEAD";
  if (reads && path == "/healthz") return json_answer(200, R"({"status":"ok"})");
  if (reads && path == "/readyz") return ready_answer(ready_());
  if (reads && path == "/metrics") return metrics_();
  return problem_answer(404, "there is nothing here; the API is under /api/v1/");
}

LocalAnswer OperatorGateway::on_refusal(int status, std::string_view detail) {
  auto answer = problem_answer(status, detail);
  answer.close = true;
  return answer;
}

}  // namespace hpc
