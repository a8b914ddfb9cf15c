#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/responder.h"

namespace hpc {

/// Where a responder's answer goes in a test; the test says how fast the client reads.
class FakeSink final : public ResponseSink {
 public:
  void answer(LocalAnswer answer) override { answered = std::move(answer); }
  void begin(int begun_status,
             const std::vector<std::pair<std::string, std::string>>& begun_fields) override {
    status = begun_status;
    fields = begun_fields;
  }
  void write(std::string_view text) override {
    if (ended || cut_for) return;
    written += text;
    if (!reads) queued += text.size();
  }
  void end() override { ended = true; }
  void cut(const Error& why) override { cut_for = why; }
  std::size_t queued_bytes() const override { return queued; }

  std::string field(std::string_view name) const {
    for (const auto& [key, value] : fields) {
      if (key == name) return value;
    }
    return "";
  }

  std::optional<LocalAnswer> answered;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string written;
  bool ended = false;
  std::optional<Error> cut_for;
  bool reads = true;  // takes at once what is written
  std::size_t queued = 0;
};

}  // namespace hpc
