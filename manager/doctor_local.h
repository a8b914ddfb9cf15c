#pragma once
#include "manager/doctor_report.h"
#include "manager/serve_settings.h"

namespace hpc {

/// The steps of `doctor` on this machine: configuration, who we are, the state file's disk, and
/// whether the ports are free. Changes nothing: no file is made, sockets are bound and closed
/// again.
void examine_this_machine(const ServeSettings& settings, DoctorReport& report);

}  // namespace hpc
