#include "manager/start_progress.h"

#include "manager/session/session_state.h"
#include "manager/session/session_words.h"

namespace hpc {

namespace {

// As wide as the time in front of a first line.
constexpr const char* kFurtherLine = "          ";

std::string line_text(const cJSON* object, const char* name) {
  auto text = json_safe(json_text(object, name).value_or(""));
  for (char& c : text) c = c == '\n' ? ' ' : c;
  return text;
}

/// The end of a job's log has several lines; each but the first stands apart.
std::string lines_text(const cJSON* object, const char* name) {
  std::string text;
  for (const char c : json_safe(json_text(object, name).value_or(""))) {
    text += c;
    if (c == '\n') text += kFurtherLine;
  }
  return text;
}

}  // namespace

bool StartProgress::see(std::string_view session) {
  const auto value = parse_json(session);
  return value && see_object(value->get());
}

bool StartProgress::take(std::string_view piece) {
  return text_.feed(piece, [this](const EventItem& item) { on_item(item); }) &&
         outcome_ == Outcome::kOnItsWay;
}

void StartProgress::on_item(const EventItem& item) {
  if (item.id) last_event_ = *item.id;
  if (outcome_ != Outcome::kOnItsWay) return;
  const auto value = parse_json(item.data);
  if (!value) return;
  if (item.type == "state" || item.type == "queue") {
    see_object(value->get());
  } else if (const auto text = lines_text(value->get(), "text"); !text.empty()) {
    // The reason of a state is often told as progress, too.
    if (text != reason_) say_once(text);
  }
}

bool StartProgress::see_object(const cJSON* session) {
  const auto state = parse_session_state(json_text(session, "state").value_or(""));
  const auto id = json_text(session, "id");
  if (!state || !id) return false;
  id_ = *id;
  url_ = line_text(session, "url");
  reason_ = line_text(session, "reason");
  json_ = json_line(session);
  if (*state == SessionState::kRunning) outcome_ = Outcome::kRuns;
  if (*state == SessionState::kEnded) outcome_ = Outcome::kEnded;
  say_once(session_words(state_name(*state), json_number(session, "queue_position"),
                         line_text(session, "node"), reason_));
  return true;
}

void StartProgress::say_once(const std::string& line) {
  if (line == said_) return;
  said_ = line;
  say_(line);
}

}  // namespace hpc
