#pragma once
#include <functional>
#include <utility>

#include "common/http_handler.h"
#include "manager/gateway/api.h"

namespace hpc {

/// What operators reach over the Unix socket: the API, and how the manager is. Who gets here has
/// proved to the kernel that he may (operator_socket.h), so the caller is always the operator, and
/// no browser is on the other side.
class OperatorGateway final : public HttpHandler {
 public:
  using Ready = std::function<Status()>;
  using Metrics = std::function<LocalAnswer()>;
  /// `api` must outlive it.
  OperatorGateway(Api& api, Ready ready, Metrics metrics)
      : api_(api), ready_(std::move(ready)), metrics_(std::move(metrics)) {}
  Decision on_request(const RequestHead& head, ClientInfo& client) override;
  LocalAnswer on_refusal(int status, std::string_view detail) override;

 private:
  Api& api_;
  Ready ready_;
  Metrics metrics_;
};

/// GET /readyz: 200, or 503 with the reason.
LocalAnswer ready_answer(const Status& ready);

}  // namespace hpc
