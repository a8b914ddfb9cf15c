#pragma once
#include <string_view>
#include <vector>

#include "common/http_head.h"

namespace hpc {

/// Which fields of a message end at this hop (RFC 9110, 7.6.1): Connection and what it names,
/// Proxy-Connection, Keep-Alive, TE, Trailer, Transfer-Encoding, Upgrade, and the framing fields
/// that are always written anew (Content-Length). A nomination of a field that is ours or that
/// end-to-end safety rests on (Host, Cookie, Authorization, framing, X-Forwarded-*, Forwarded,
/// X-HPC-*) is ignored.
///
/// Built once per message over its fields, which must outlive it.
class HopFields {
 public:
  explicit HopFields(const FieldList& fields);
  /// True when the field, or one of that name, is not to be forwarded.
  bool ends_here(const Field& field) const;
  bool ends_here(std::string_view name) const { return ends_here({name, {}, field_id(name)}); }

 private:
  std::vector<std::string_view> nominated_;
};

}  // namespace hpc
