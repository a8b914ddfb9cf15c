#pragma once
#include <optional>

#include "common/http_handler.h"
#include "manager/gateway/authorize.h"

namespace hpc {

/// `/api/v1/...` (contract 2.4), for the browser side and for the operators' socket. Asks
/// authorize() itself, because only it knows whose a session id is.
class Api {
 public:
  virtual ~Api() = default;
  /// `head.target` begins with "/api/v1/" (or is "/api/v1").
  virtual Decision handle(const RequestHead& head, const Caller& caller,
                          bool passes_cross_site_rule) = 0;
};

}  // namespace hpc
