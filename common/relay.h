#pragma once
#include <cstddef>
#include <memory>

#include "common/buffer_budget.h"
#include "common/stream.h"

namespace hpc {

/// Copies bytes both ways between two streams until both have closed: what an exchange becomes
/// after an upgrade.
///
/// Owns both streams, and has no memory beside them while nothing waits. At most kQueueBytesMax
/// wait in each direction (plus one read), and less once `budget` (null: none; else it outlives the
/// relay) is used up. A half-close is passed on and keeps the other direction open; a failure of
/// one side cuts the other; a clean end of one side never cuts bytes the other is still flushing.
class Relay {
 public:
  class Owner {
   public:
    /// Exactly once, when both have closed; may defer_delete the relay but not destroy it.
    virtual void on_relay_done(const Status& why) noexcept = 0;
    /// How many bytes went which way, for counters.
    virtual void on_relay_bytes(std::size_t from_client, std::size_t from_target) noexcept = 0;

   protected:
    ~Owner() = default;
  };

  /// `owner` (null: nobody wants to know) outlives the relay.
  Relay(std::unique_ptr<Stream> client, std::unique_ptr<Stream> target, BufferBudget* budget,
        Owner* owner);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// `early_from_client`, `early_from_target`: bytes that were read beyond the upgrade already.
  void start(Bytes early_from_client = {}, Bytes early_from_target = {});
  /// Cuts both sides; `done` follows.
  void abort(const Error& why);

 private:
  class Side final : public Stream::Listener {
   public:
    explicit Side(Relay& relay) : relay_(relay) {}
    void on_data(Bytes bytes) noexcept override;
    void on_end() noexcept override;
    void on_drain() noexcept override;
    void on_close(const Status& why) noexcept override;

   private:
    bool is_client() const { return this == &relay_.client_; }
    Stream& self() { return is_client() ? *relay_.client_stream_ : *relay_.target_stream_; }
    Stream& peer() { return is_client() ? *relay_.target_stream_ : *relay_.client_stream_; }
    Relay& relay_;
  };

  void side_closed(const Status& why);
  void check_budget();
  void on_budget();

  std::unique_ptr<Stream> client_stream_, target_stream_;
  Side client_{*this}, target_{*this};
  Owner* owner_;
  BufferBudget* budget_;
  std::unique_ptr<BudgetShare> share_;  // once bytes have waited
  std::unique_ptr<Error> first_failure_;
  int open_sides_ = 2;
};

}  // namespace hpc
