#pragma once
#include "manager/operator_client.h"
#include "manager/verb_options.h"

namespace hpc {

/// What the verb asks of the API.
OperatorRequest verb_request(const VerbOptions& options);

/// The answer as a person or a script reads it, for stdout: tables (text_table.h), one value a
/// line, or the token. kNetwork: it is not what the API answers.
Result<std::string> verb_output(const VerbOptions& options, const OperatorAnswer& answer,
                                bool terminal);

/// What a refusal of the API means for the exit code, with the reason that it gives.
Error verb_failure(const OperatorAnswer& answer);

/// `sessions`, `queue`, `ports`, `tokens`.
bool is_verb(std::string_view word);
/// Runs the verb: data on stdout, everything else on stderr. `arguments` without the program's
/// name. Returns the exit code.
int run_verb(const std::vector<std::string>& arguments);

}  // namespace hpc
