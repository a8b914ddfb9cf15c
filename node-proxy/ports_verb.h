#pragma once
#include <string>

#include "common/job_record.h"
#include "common/result.h"
#include "node-proxy/options.h"

namespace hpc {

/// `hpc-proxy ports`: asks the running hpc-proxy of `record` for /ports and prints it.
Status print_ports(const JobRecord& record, const Options& options);

/// Is that port in the running hpc-proxy's list? kRefused when not; errors as get_with_token().
Status look_in_ports(const JobRecord& record, std::uint16_t port);

/// Is there that port in the body of /ports?
bool has_port(const std::string& body, std::uint16_t port);

/// The body of /ports as lines: for a terminal aligned below a heading, else separated by tabs.
/// `url_template` is empty where the URLs of the body are right. kNetwork: it is no such body.
Result<std::string> ports_lines(const std::string& body, const std::string& url_template,
                                bool terminal);

}  // namespace hpc
