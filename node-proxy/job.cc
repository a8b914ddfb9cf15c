#include "node-proxy/job.h"

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/rfc3339.h"
#include "node-proxy/record_dir.h"

namespace hpc {

namespace {

// A busy controller answers within its own MessageTimeout of 10 s; later is never.
constexpr std::uint64_t kSqueueMs = 10'000;
constexpr std::size_t kSqueueBytesMax = 256;
constexpr std::int64_t kSecondMs = 1000;
// Steps with these numbers are the job's own shells (SLURM_INTERACTIVE_STEP, SLURM_BATCH_SCRIPT).
constexpr std::string_view kShellSteps[] = {"4294967290", "4294967291"};

std::optional<std::string> non_empty(const Environment& environment, const char* name) {
  auto value = environment(name);
  if (value && value->empty()) value.reset();
  return value;
}

/// The batch script or the interactive shell of the job's first node.
bool is_first_shell(const Environment& environment) {
  const auto node = non_empty(environment, "SLURM_NODEID");
  const auto step = non_empty(environment, "SLURM_STEP_ID");
  const bool shell_step = !step || std::find(std::begin(kShellSteps), std::end(kShellSteps),
                                             *step) != std::end(kShellSteps);
  return (!node || *node == "0") && shell_step;
}

std::optional<std::string> end_from_epoch(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::int64_t seconds = 0;
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  constexpr std::int64_t kYear9999 = 253'402'300'799;
  if (failed != std::errc{} || end != text->data() + text->size() || seconds <= 0 ||
      seconds > kYear9999) {
    return std::nullopt;
  }
  return format_rfc3339(seconds * kSecondMs);
}

}  // namespace

Result<JobIdentity> job_identity(const Environment& environment, const std::string& host,
                                 std::int64_t pid) {
  JobIdentity identity;
  const std::string own = host + "-" + std::to_string(pid);
  const auto slurm_id = non_empty(environment, "SLURM_JOB_ID");
  identity.in_slurm = slurm_id.has_value();
  identity.job_id = slurm_id.value_or(own);
  const bool plain = !slurm_id || is_first_shell(environment);
  identity.id = plain ? identity.job_id : *slurm_id + "-" + own;
  if (!is_record_id(identity.id)) {
    return fail(Errc::kSystem, "SLURM_JOB_ID", "'" + identity.job_id + "' is not a job's number");
  }
  if (!slurm_id) return identity;
  const auto node = non_empty(environment, "SLURMD_NODENAME");
  if (node && is_record_id(*node)) identity.slurm_node = node;
  identity.job_end = end_from_epoch(non_empty(environment, "SLURM_JOB_END_TIME"));
  return identity;
}

std::optional<std::string> parse_squeue_end(std::string_view text) {
  // "2026-03-01T20:00:00" in local time: as UTC it is a moment whose fields are the ones wanted.
  const auto as_utc = parse_rfc3339(std::string(text.substr(0, text.find('\n'))) + "Z");
  if (!as_utc) return std::nullopt;
  const time_t shifted = *as_utc / kSecondMs;
  tm local{};
  gmtime_r(&shifted, &local);
  local.tm_isdst = -1;  // let the zone's rules say whether it is summer time
  const time_t seconds = mktime(&local);
  if (seconds <= 0) return std::nullopt;
  return format_rfc3339(std::int64_t{seconds} * kSecondMs);
}

/// The process, its output and its deadline. Lives until libuv has closed the handles.
struct JobEndQuery::Run : std::enable_shared_from_this<JobEndQuery::Run> {
  explicit Run(Loop& owner) : loop(owner) {}

  void start(const std::string& job_id) {
    uv_pipe_init(loop.uv(), &output, 0);
    output.data = this;
    keep_output = shared_from_this();
    std::array<std::string, 6> words = {"squeue", "-h", "-j", job_id, "-o", "%e"};
    std::array<char*, 7> argv{};
    std::transform(words.begin(), words.end(), argv.begin(),
                   [](std::string& word) { return word.data(); });
    std::array<uv_stdio_container_t, 3> stdio{};
    stdio[0].flags = UV_IGNORE;
    stdio[1].flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
    stdio[1].data.stream = reinterpret_cast<uv_stream_t*>(&output);
    stdio[2].flags = UV_IGNORE;
    uv_process_options_t options{};
    options.file = argv[0];
    options.args = argv.data();
    options.stdio_count = static_cast<int>(stdio.size());
    options.stdio = stdio.data();
    options.exit_cb = [](uv_process_t* handle, std::int64_t, int) {
      static_cast<Run*>(handle->data)->close_process();
    };
    process.data = this;
    keep_process = shared_from_this();
    const int rc = uv_spawn(loop.uv(), &process, &options);
    if (rc != 0) {  // no squeue here: the end stays unknown
      close_process();
      return close_output();
    }
    timer = std::make_unique<Timer>(loop, [this] { uv_process_kill(&process, SIGKILL); });
    timer->start(kSqueueMs);
    uv_read_start(reinterpret_cast<uv_stream_t*>(&output), give_buffer, on_read);
  }

  static void give_buffer(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) noexcept {
    auto* run = static_cast<Run*>(handle->data);
    *buffer = uv_buf_init(run->buffer.data(), static_cast<unsigned>(run->buffer.size()));
  }

  static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) noexcept {
    auto* run = static_cast<Run*>(stream->data);
    if (size < 0) return run->close_output();
    const std::size_t room = kSqueueBytesMax - std::min(run->text.size(), kSqueueBytesMax);
    run->text.append(buffer->base, std::min(static_cast<std::size_t>(size), room));
  }

  void close_output() {
    if (uv_is_closing(reinterpret_cast<uv_handle_t*>(&output)) != 0) return;
    uv_close(reinterpret_cast<uv_handle_t*>(&output), [](uv_handle_t* handle) {
      auto keep = std::move(static_cast<Run*>(handle->data)->keep_output);
      keep->finish();
    });
  }

  void close_process() {
    if (timer) timer->stop();
    if (uv_is_closing(reinterpret_cast<uv_handle_t*>(&process)) != 0) return;
    uv_close(reinterpret_cast<uv_handle_t*>(&process), [](uv_handle_t* handle) {
      auto keep = std::move(static_cast<Run*>(handle->data)->keep_process);
      keep->finish();
    });
  }

  void finish() {
    if (keep_output || keep_process) return;  // the other one is still there
    timer.reset();
    if (const auto call = std::exchange(done, nullptr)) call(parse_squeue_end(text));
  }

  void cancel() {
    done = nullptr;
    if (keep_process) uv_process_kill(&process, SIGKILL);
    if (keep_process) close_process();
    if (keep_output) close_output();
    timer.reset();
  }

  Loop& loop;
  Done done;
  uv_pipe_t output{};
  uv_process_t process{};
  std::unique_ptr<Timer> timer;
  std::array<char, kSqueueBytesMax> buffer{};
  std::string text;
  std::shared_ptr<Run> keep_output;  // ourselves, while libuv holds the handle
  std::shared_ptr<Run> keep_process;
};

JobEndQuery::JobEndQuery(Loop& loop, const std::string& job_id, Done done)
    : run_(std::make_shared<Run>(loop)) {
  run_->done = std::move(done);
  run_->start(job_id);
}

JobEndQuery::~JobEndQuery() { run_->cancel(); }

}  // namespace hpc
