// Records of a hostile disk: what is read is in range and can be written and read again.
#include "common/job_record.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const auto text = fuzz_text(data, size);
  const auto record = parse_job_record(text);
  if (!record) {
    require(record.error().code == Errc::kBadRequest, "no other refusal than a bad request");
    return 0;
  }
  require(text.size() <= kJobRecordBytesMax, "not longer than the limit");
  require(record->port >= 1024, "port in range");
  require(is_token(record->token), "token is one");
  const auto written = write_job_record(*record);
  if (written.size() > kJobRecordBytesMax) return 0;  // escapes can make it longer
  const auto again = parse_job_record(written);
  require(again.has_value(), "what was written is read");
  require(write_job_record(*again) == written, "and is the same");
  return 0;
}
