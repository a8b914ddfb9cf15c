#pragma once
#include <string>
#include <variant>
#include <vector>

#include "manager/doctor_options.h"
#include "manager/options.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

/// `arguments` without "doctor". kUsage where the command line is wrong. Problems of the
/// configuration are the doctor's first step, not an error.
Result<std::variant<DoctorOptions, PrintText>> parse_doctor_command_line(
    const std::vector<std::string>& arguments, const EnvironmentMap& environment);

/// Looks at everything between this machine and the user's hpc-proxy on one cluster, step by step,
/// a line each on stdout with what to do, and returns the exit code of the first problem (contract
/// 1), 0 without any. Unknown host keys are refused as `serve` refuses them. `prompter` is asked
/// for passwords with --auth ssh only, and must outlive the call.
int run_doctor(const DoctorOptions& options, SshPrompter& prompter);

}  // namespace hpc
