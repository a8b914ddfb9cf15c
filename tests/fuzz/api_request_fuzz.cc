// What the API is sent: "METHOD target", a line end, and a body of JSON.
#include <algorithm>
#include <string>

#include "manager/gateway/api_requests.h"
#include "manager/gateway/api_route.h"
#include "manager/gateway/event_stream.h"
#include "manager/session/json.h"
#include "manager/session/launch_spec.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace hpc;

void check_route(std::string_view method, std::string_view target) {
  const auto route = find_api_route(method, target);
  require(!route.call || !route.allow.empty(), "a call is on a path that is there");
  if (!route.id.empty()) require(route.id.find_first_of("/?%.") == std::string_view::npos, "an id");
  const auto after = last_event_number({}, route.query);
  const auto text = query_value(route.query, "last-event-id");
  require(!after || after->has_value() == text.has_value(), "a number is there or it is not");
}

// Nothing but names and numbers goes on to the parts that build commands and paths.
void check_session(std::string_view body) {
  const auto wanted = parse_new_session(body);
  if (!wanted) return require(wanted.error().code == Errc::kBadRequest, "a reason");
  require(is_session_name(wanted->cluster) && is_session_name(wanted->ide), "names");
  require(wanted->user.empty() || is_session_name(wanted->user), "the user's name");
  require(!wanted->slot || (*wanted->slot >= 1 && *wanted->slot <= kSlotMax), "slot");
  if (wanted->job) {
    require(wanted->job->find_first_of(" -;/\n'\"$") != 0, "a job is no option");
    require(wanted->job->find_first_of(" ;/\n'\"$\\") == std::string::npos, "a job is a name");
  }
  if (wanted->spec.empty()) return;
  require(wanted->spec.find('\n') == std::string::npos, "one line");
  const auto spec = parse_launch_spec(wanted->spec);
  require(spec.has_value(), "the spec is one of ours");
  require(sbatch_arguments(spec->job).has_value(), "and sbatch may have it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz_text(data, size);
  const auto line = input.substr(0, input.find('\n'));
  const auto space = std::min(line.find(' '), line.size());
  check_route(line.substr(0, space), line.substr(std::min(space + 1, line.size())));
  const auto body = input.substr(std::min(line.size() + 1, input.size()));
  check_session(body);
  static_cast<void>(parse_token_request(body));
  static_cast<void>(parse_extend_request(body));
  if (const auto value = parse_json(body)) {
    const auto text = json_safe(json_line(value->get()));
    require(text.find('\n') == std::string::npos, "one line");
  }
  return 0;
}
