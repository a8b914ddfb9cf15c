#include "common/http_writer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

#include "common/http_status.h"

namespace hpc {

namespace {
// Copying less than this is cheaper than one more element in a gathered write.
constexpr std::size_t kCopyBytesMax = 2048;

template <class Int>
void append_number(std::string& out, Int value, int base = 10) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  out.append(digits.data(), end);
}

[[maybe_unused]] bool has_line_end(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

void write_status_line(std::string& out, int status) {
  out.append("HTTP/1.1 ");
  append_number(out, status);
  out.append(" ").append(reason_phrase(status)).append("\r\n");
}

bool names_allow(const LocalAnswer& answer) {
  return std::any_of(answer.fields.begin(), answer.fields.end(),
                     [](const auto& field) { return field.first == "Allow"; });
}
}  // namespace

void HeadWriter::begin_field(std::string_view name) {
  assert(!has_line_end(name));
  out_.append(name).append(": ", 2);
}

void HeadWriter::piece(std::string_view part) {
  assert(!has_line_end(part));
  out_.append(part);
}

void OutBatch::body(Bytes bytes) {
  if (bytes.size() <= kCopyBytesMax) {
    text_.append(as_text(bytes));
    return;
  }
  const Bytes parts[] = {as_bytes(text_), bytes};
  stream_->write_parts(parts);
  text_.clear();
}

void OutBatch::flush() {
  if (text_.empty()) return;
  stream_->write(as_bytes(text_));
  text_.clear();
}

void write_body(OutBatch& out, BodyKind kind, Bytes bytes) {
  if (kind != BodyKind::kChunked) return out.body(bytes);
  append_number(out.text(), bytes.size(), 16);
  out.text().append("\r\n");
  out.body(bytes);
  out.text().append("\r\n");
}

void write_body_end(OutBatch& out, BodyKind kind) {
  if (kind == BodyKind::kChunked) out.text().append("0\r\n\r\n");
}

void write_framing(std::string& out, const Framing& framing) {
  if (framing.kind == BodyKind::kChunked) out.append("Transfer-Encoding: chunked\r\n");
  if (framing.kind != BodyKind::kLength) return;
  out.append("Content-Length: ");
  append_number(out, framing.length);
  out.append("\r\n");
}

void write_begun_answer(std::string& out, int status,
                        const std::vector<std::pair<std::string, std::string>>& fields,
                        const Framing& framing, bool closes) {
  write_status_line(out, status);
  HeadWriter writer(out);
  for (const auto& [name, value] : fields) writer.field(name, value);
  write_framing(out, framing);
  if (closes) writer.field("Connection", "close");
  out.append("\r\n");
}

std::string write_answer(const LocalAnswer& answer, bool head_only, bool keep_alive,
                         int version_minor) {
  std::string out;
  write_status_line(out, answer.status);
  HeadWriter writer(out);
  for (const auto& [name, value] : answer.fields) writer.field(name, value);
  // CONNECT and TRACE are refused by the engine, which does not know what the target allows.
  if (answer.status == 405 && !names_allow(answer)) {
    writer.field("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
  }
  if (answer.status != 204) write_framing(out, {BodyKind::kLength, answer.body.size()});
  if (!keep_alive) {
    writer.field("Connection", "close");
  } else if (version_minor == 0) {
    writer.field("Connection", "keep-alive");
  }
  out.append("\r\n");
  if (!head_only) out.append(answer.body);
  return out;
}

}  // namespace hpc
