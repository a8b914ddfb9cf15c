#include "common/responder.h"

#include "common/answers.h"

namespace hpc {

namespace {

class BodyCollector final : public Responder {
 public:
  BodyCollector(std::size_t bytes_max, std::function<void(std::string, const Reply&)> handle)
      : bytes_max_(bytes_max), handle_(std::move(handle)) {}

  void start(ResponseSink& sink) noexcept override { *sink_ = &sink; }

  void on_body(Bytes bytes) noexcept override {
    if (too_long_) return;
    if (body_.size() + bytes.size() <= bytes_max_) return void(body_.append(as_text(bytes)));
    too_long_ = true;
    std::string().swap(body_);  // assigning an empty one would keep the memory
    (*sink_)->answer(problem_answer(
        413, "the request's body may have " + std::to_string(bytes_max_) + " bytes at most"));
  }

  void on_request_end() noexcept override {
    if (too_long_) return;
    handle_(std::move(body_), [sink = std::weak_ptr(sink_)](LocalAnswer answer) {
      if (const auto open = sink.lock()) (*open)->answer(std::move(answer));
    });
  }

 private:
  const std::size_t bytes_max_;
  std::function<void(std::string, const Reply&)> handle_;
  std::string body_;
  bool too_long_ = false;
  // Ours alone; a reply that comes later sees by it whether we still live.
  std::shared_ptr<ResponseSink*> sink_ = std::make_shared<ResponseSink*>(nullptr);
};

}  // namespace

std::unique_ptr<Responder> collect_body(
    std::size_t bytes_max, std::function<void(std::string body, const Reply& reply)> handle) {
  return std::make_unique<BodyCollector>(bytes_max, std::move(handle));
}

}  // namespace hpc
