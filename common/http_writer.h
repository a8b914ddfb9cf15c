#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/http_handler.h"
#include "common/http_head.h"
#include "common/stream.h"

namespace hpc {

/// Collects small pieces and sends them together with the next large one, so that a head and its
/// body, or a chunk and its size line, are one gathered write.
class OutBatch {
 public:
  explicit OutBatch(Stream& stream) : stream_(&stream) {}
  std::string& text() { return text_; }
  void body(Bytes bytes);
  void flush();

 private:
  Stream* stream_;  // the exchange that owns this batch outlives neither
  std::string text_;
};

/// Writes body bytes in the framing that was announced: as they are, or as chunks.
void write_body(OutBatch& out, BodyKind kind, Bytes bytes);
/// The end of a body: the last chunk where there are chunks.
void write_body_end(OutBatch& out, BodyKind kind);
/// Content-Length or Transfer-Encoding as the framing says; nothing for the other kinds.
void write_framing(std::string& out, const Framing& framing);

/// The head of an answer of our own whose body follows in `framing`. `closes`: the connection ends
/// with it.
void write_begun_answer(std::string& out, int status,
                        const std::vector<std::pair<std::string, std::string>>& fields,
                        const Framing& framing, bool closes);

/// A whole answer of our own. `head_only`: the request was a HEAD. `keep_alive`: as the connection
/// goes on; `version_minor`: of the request, because 1.0 must be told that it may stay.
std::string write_answer(const LocalAnswer& answer, bool head_only, bool keep_alive,
                         int version_minor);

}  // namespace hpc
