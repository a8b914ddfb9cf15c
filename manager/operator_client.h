#pragma once
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

// A list of all sessions of a large manager has some hundred KiB.
constexpr std::size_t kOperatorAnswerBytesMax = std::size_t{16} * 1024 * 1024;
// Nothing that an operator asks for takes longer.
constexpr int kOperatorWaitSeconds = 60;

struct OperatorRequest {
  std::string method;
  std::string target;  // "/api/v1/sessions"
  std::string body;    // JSON, or empty: none
};
struct OperatorAnswer {
  int status = 0;
  std::string body;
};

/// Asks the running `serve` over its operators' socket. Blocks.
///
/// What listens there must be of our own user, unless we are root or it is: it may be told, and may
/// answer, a token. Errors: kNotFound (nothing listens at `socket`), kForbidden (we may not, or it
/// is another user's), kTimeout, kNetwork (it died, or speaks no HTTP), kTooLarge, kSystem.
Result<OperatorAnswer> ask_operator_socket(const std::string& socket,
                                           const OperatorRequest& request);

/// Takes an answer as it comes, which may be for ever.
struct OperatorStream {
  /// A piece of the body of a 2xx answer, never empty; false: it is enough. Other bodies come with
  /// the answer.
  std::function<bool(std::string_view)> take;
  int stop_descriptor = -1;  // once it can be read, it is enough, too; -1: none
};
/// Only the head must come within kOperatorWaitSeconds. Nothing: it was enough before the end.
/// Errors as above; kNetwork, too, where the answer was cut.
Result<std::optional<OperatorAnswer>> stream_operator_socket(const std::string& socket,
                                                             const OperatorRequest& request,
                                                             const OperatorStream& stream);

/// The same over a connection that is there already; `descriptor` stays open. For tests.
Result<OperatorAnswer> exchange_over(int descriptor, const OperatorRequest& request);
Result<std::optional<OperatorAnswer>> stream_over(int descriptor, const OperatorRequest& request,
                                                  const OperatorStream& stream);

}  // namespace hpc
