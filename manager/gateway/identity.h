#pragma once
#include "common/http_handler.h"
#include "manager/gateway/authorize.h"

namespace hpc {

/// Who sends this request: the trusted proxy's header, a token, a cookie, or nobody. Says nothing
/// about what he may do.
class Identity {
 public:
  virtual ~Identity() = default;
  virtual Caller identify(const RequestHead& head, const ClientInfo& client) = 0;
};

}  // namespace hpc
