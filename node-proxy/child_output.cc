#include "node-proxy/child_output.h"

#include <signal.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/timer.h"

namespace hpc {

/// The process, its output and its deadline. Lives until libuv has closed the handles.
struct ChildOutput::Run : std::enable_shared_from_this<ChildOutput::Run> {
  explicit Run(Loop& owner) : loop(owner) {}

  void start(std::vector<std::string> words, std::uint64_t limit_ms) {
    uv_pipe_init(loop.uv(), &output, 0);
    output.data = this;
    keep_output = shared_from_this();
    std::vector<char*> argv(words.size() + 1, nullptr);
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
    options.exit_cb = [](uv_process_t* handle, std::int64_t status, int signal) {
      auto* run = static_cast<Run*>(handle->data);
      run->answer.ok = status == 0 && signal == 0;
      run->close_process();
    };
    process.data = this;
    keep_process = shared_from_this();
    const int rc = uv_spawn(loop.uv(), &process, &options);
    if (rc != 0) {  // there is no such program here
      close_process();
      return close_output();
    }
    timer = std::make_unique<Timer>(loop, [this] { uv_process_kill(&process, SIGKILL); });
    timer->start(limit_ms);
    uv_read_start(reinterpret_cast<uv_stream_t*>(&output), give_buffer, on_read);
  }

  static void give_buffer(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) noexcept {
    auto* run = static_cast<Run*>(handle->data);
    *buffer = uv_buf_init(run->buffer.data(), static_cast<unsigned>(run->buffer.size()));
  }

  static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) noexcept {
    auto* run = static_cast<Run*>(stream->data);
    if (size < 0) return run->close_output();
    auto& text = run->answer.text;
    const std::size_t room = kChildOutputBytesMax - std::min(text.size(), kChildOutputBytesMax);
    text.append(buffer->base, std::min(static_cast<std::size_t>(size), room));
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
    if (const auto call = std::exchange(done, nullptr)) call(std::move(answer));
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
  std::array<char, kChildOutputBytesMax> buffer{};
  Answer answer;
  std::shared_ptr<Run> keep_output;  // ourselves, while libuv holds the handle
  std::shared_ptr<Run> keep_process;
};

ChildOutput::ChildOutput(Loop& loop, std::vector<std::string> words, Done done,
                         std::uint64_t limit_ms)
    : run_(std::make_shared<Run>(loop)) {
  run_->done = std::move(done);
  run_->start(std::move(words), limit_ms);
}

ChildOutput::~ChildOutput() { run_->cancel(); }

}  // namespace hpc
