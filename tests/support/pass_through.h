#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/hop_headers.h"
#include "common/http_handler.h"

namespace hpc {

/// The policy of a proxy that has no wishes of its own: every end-to-end field passes as it came,
/// and a failure of the far end is told in its own words.
class PassThrough : public ForwardPolicy {
 public:
  /// What changes the body of an answer; empty: nothing does.
  using MakeFilter = std::function<std::unique_ptr<BodyFilter>(const ResponseHead&)>;
  /// `target`: asked for in place of the forward's; empty: that one stays.
  explicit PassThrough(MakeFilter filter = {}, std::string target = {})
      : filter_(std::move(filter)), target_(std::move(target)) {}
  void choose_target(std::string& target) override {
    if (!target_.empty()) target = target_;
  }
  std::unique_ptr<BodyFilter> filter_body(const ResponseHead& head) override {
    return filter_ ? filter_(head) : nullptr;
  }
  void write_request_fields(const RequestHead& head, const HopFields& hop,
                            HeadWriter& out) override {
    pass(head.fields, hop, out);
  }
  void write_response_fields(const ResponseHead& head, const HopFields& hop,
                             HeadWriter& out) override {
    pass(head.fields, hop, out);
  }
  LocalAnswer on_upstream_failed(const Error& error) override {
    return {error.code == Errc::kRefused ? 503 : 502, {}, "failed: " + error.detail, false};
  }

 private:
  static void pass(const FieldList& fields, const HopFields& hop, HeadWriter& out) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (!hop.ends_here(fields[i].name)) out.field(fields[i].name, fields[i].value);
    }
  }
  MakeFilter filter_;
  const std::string target_;
};

}  // namespace hpc
