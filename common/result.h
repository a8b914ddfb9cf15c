#pragma once
#include <string>
#include <tl/expected.hpp>  // libexpected-dev; std::expected once clang-tidy parses it
#include <utility>

namespace hpc {

/// One enumerator per *reaction*, not per cause: the cause goes in Error::detail.
enum class Errc {
  kBadRequest,    // the peer broke the protocol: answer 400 (or drop an upstream), close
  kUnauthorized,  // who are you: answer 401, exit 4
  kForbidden,     // known, but not allowed: answer 403, exit 4
  kNotFound,      // no such route, record, job: answer 404, exit 3
  kTooLarge,      // a named limit was passed
  kConflict,      // it contradicts what is there (a slot in use): answer 409, exit 1
  kTooMany,       // the asker has as many as he may have: answer 429, exit 1
  kTimeout,       // a named deadline passed: answer 504, exit 5
  kRefused,       // nothing listens there: answer 503 "waiting", worth trying again
  kUnavailable,   // we cannot now (tunnel down, limit reached): answer 503, worth trying again
  kNetwork,       // a connection died: answer 502
  kSsh,           // the SSH layer failed in another way than the above
  kSlurm,         // SLURM said no or said nonsense
  kUsage,         // the command line is wrong: exit 2
  kConfig,        // the configuration is wrong: exit 6
  kSystem,        // the operating system refused us something (file, memory, descriptor): exit 1
};

/// One failure, ready for a log line. `where` names the step, `detail` the cause.
struct Error {
  Errc code;
  std::string where;   // "ssh.connect"
  std::string detail;  // "login01: connection refused"
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Errc code, std::string where, std::string detail) {
  return tl::unexpected<Error>(Error{code, std::move(where), std::move(detail)});
}

/// "where: detail", for a line that a person reads.
inline std::string describe(const Error& error) { return error.where + ": " + error.detail; }

}  // namespace hpc
