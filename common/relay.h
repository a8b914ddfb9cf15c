#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "common/buffer_budget.h"
#include "common/stream.h"

namespace hpc {

/// Copies bytes both ways between two streams until both have closed: what an exchange becomes
/// after an upgrade.
///
/// Owns both streams. `done` is called exactly once, when both have closed; it may defer_delete
/// the relay but not destroy it. At most kQueueBytesMax wait in each direction (plus one read), and
/// less once `budget` (null: none; else it outlives the relay) is used up.
/// A half-close is passed on and keeps the other direction open; a failure of one side cuts the
/// other; a clean end of one side never cuts bytes the other is still flushing.
class Relay {
 public:
  using Done = std::function<void(const Status&)>;
  /// Tells how many bytes went which way, for counters; may be empty.
  using Count = std::function<void(std::size_t from_client, std::size_t from_target)>;

  Relay(std::unique_ptr<Stream> client, std::unique_ptr<Stream> target, BufferBudget* budget,
        Done done, Count count = {});
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// `early_from_client`, `early_from_target`: bytes that were read beyond the upgrade already.
  void start(Bytes early_from_client = {}, Bytes early_from_target = {});
  /// Cuts both sides; `done` follows.
  void abort(const Error& why);

 private:
  class Side final : public Stream::Listener {
   public:
    Side(Relay& relay, Stream& self, Stream& peer) : relay_(relay), self_(self), peer_(peer) {}
    void on_data(Bytes bytes) noexcept override;
    void on_end() noexcept override;
    void on_drain() noexcept override;
    void on_close(const Status& why) noexcept override;

   private:
    Relay& relay_;
    Stream& self_;
    Stream& peer_;
  };

  void side_closed(const Status& why);
  void count(const Side& side, std::size_t bytes);
  void check_budget();
  void on_budget();

  std::unique_ptr<Stream> client_stream_, target_stream_;
  Side client_, target_;
  Done done_;
  Count count_;
  Status first_failure_;
  std::optional<BudgetShare> share_;
  int open_sides_ = 2;
};

}  // namespace hpc
