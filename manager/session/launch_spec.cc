#include "manager/session/launch_spec.h"

#include <algorithm>
#include <array>

#include "manager/session/json.h"
#include "manager/slurm/account_query.h"

namespace hpc {

namespace {

constexpr auto kMembers = std::to_array<std::string_view>(
    {"attach", "account", "cpus", "gpus", "memory", "partition", "time"});

tl::unexpected<Error> not_ours(std::string_view what) {
  return fail(Errc::kBadRequest, "launch spec", std::string(what));
}

/// Reads members; remembers the first that is not as it must be.
class Reader {
 public:
  explicit Reader(const cJSON* object) : object_(object) {}

  void number(const char* name, std::uint64_t max, std::optional<std::uint64_t>& into) {
    if (json_member(object_, name) == nullptr) return;
    into = json_number(object_, name);
    if (!into || *into < 1 || *into > max) wrong_ = name;
  }
  void text(const char* name, bool (*passes)(std::string_view), std::string& into) {
    if (json_member(object_, name) == nullptr) return;
    into = json_text(object_, name).value_or("");
    if (!passes(into)) wrong_ = name;
  }
  void flag(const char* name, bool& into) {
    const cJSON* member = json_member(object_, name);
    if (member == nullptr) return;
    if (cJSON_IsBool(member) == 0) wrong_ = name;
    into = cJSON_IsTrue(member) != 0;
  }
  const char* wrong() const { return wrong_; }

 private:
  const cJSON* object_;
  const char* wrong_ = nullptr;
};

}  // namespace

std::string launch_spec_json(const LaunchSpec& spec) {
  const JsonPtr object(cJSON_CreateObject());
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) add_text(object.get(), name, value);
  };
  if (spec.attach) add_bool(object.get(), "attach", true);
  text("account", spec.job.account);
  if (spec.job.cpus) add_number(object.get(), "cpus", *spec.job.cpus);
  if (spec.job.gpus) add_number(object.get(), "gpus", *spec.job.gpus);
  text("memory", spec.job.memory);
  text("partition", spec.job.partition);
  text("time", spec.job.time);
  return object->child == nullptr ? std::string() : json_line(object.get());
}

Result<LaunchSpec> parse_launch_spec(std::string_view text) {
  if (text.empty()) return LaunchSpec{};
  const auto value = parse_json(text);
  if (!value) return not_ours(value.error().detail);
  if (cJSON_IsObject(value->get()) == 0) return not_ours("it is no JSON object");
  for (const cJSON* child = (*value)->child; child != nullptr; child = child->next) {
    if (std::find(kMembers.begin(), kMembers.end(), child->string) == kMembers.end()) {
      return not_ours("it has a member that we never write");
    }
  }
  LaunchSpec spec;
  Reader reader(value->get());
  reader.flag("attach", spec.attach);
  reader.text("account", is_account_name, spec.job.account);
  reader.number("cpus", kJobCpusMax, spec.job.cpus);
  reader.number("gpus", kJobGpusMax, spec.job.gpus);
  reader.text("memory", is_slurm_memory, spec.job.memory);
  reader.text("partition", is_slurm_partition, spec.job.partition);
  reader.text("time", is_slurm_time, spec.job.time);
  if (reader.wrong() != nullptr) {
    return not_ours("\"" + std::string(reader.wrong()) + "\" has a value that we never write");
  }
  return spec;
}

}  // namespace hpc
