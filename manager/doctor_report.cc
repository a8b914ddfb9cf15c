#include "manager/doctor_report.h"

#include <algorithm>
#include <utility>

#include "common/exit_code.h"
#include "manager/session/json.h"

namespace hpc {

namespace {

constexpr std::size_t kStepColumns = 16;

const char* name_of(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kNote:
      return "note";
    case Health::kProblem:
      break;
  }
  return "problem";
}

}  // namespace

void DoctorReport::problem(const std::string& step, Errc code, const std::string& text) {
  if (code_ == 0) code_ = exit_code(code);
  add(step, Health::kProblem, text);
}

void DoctorReport::add(const std::string& step, Health health, const std::string& text) {
  findings_.push_back({step, health, json_safe(text)});
  if (!say_) return;
  std::string line = name_of(health);
  line.resize(9, ' ');
  line += step;
  line.resize(std::max(line.size() + 1, 9 + kStepColumns), ' ');
  // Further lines stand below the first one.
  for (const char c : findings_.back().text) {
    line.push_back(c);
    if (c == '\n') line.append(9 + kStepColumns, ' ');
  }
  say_(line + "\n");
}

std::string DoctorReport::json(const std::string& cluster, const std::string& user) const {
  JsonPtr all(cJSON_CreateObject());
  add_text(all.get(), "cluster", cluster);
  add_text_or_null(all.get(), "user", user);
  add_bool(all.get(), "ok", healthy());
  JsonPtr steps(cJSON_CreateArray());
  for (const auto& finding : findings_) {
    JsonPtr step(cJSON_CreateObject());
    add_text(step.get(), "step", finding.step);
    add_text(step.get(), "state", name_of(finding.health));
    add_text(step.get(), "text", finding.text);
    append_value(steps.get(), std::move(step));
  }
  add_value(all.get(), "steps", std::move(steps));
  return json_line(all.get()) + "\n";
}

}  // namespace hpc
