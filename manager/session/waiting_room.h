#pragma once
#include <cstddef>
#include <memory>

namespace hpc {

// Contract 2.3: requests of one user that wait while his tunnels are down.
constexpr std::size_t kWaitingRequestsMax = 64;

/// The seats for waiting requests of one user, over all his tunnels.
///
/// Owners: his tunnels, and whoever makes them; loop thread only.
class WaitingRoom {
 public:
  /// One taken seat; free again when this goes away.
  class Seat {
   public:
    explicit Seat(std::shared_ptr<WaitingRoom> room) : room_(std::move(room)) { ++room_->taken_; }
    ~Seat() {
      if (room_) --room_->taken_;
    }
    Seat(Seat&& other) noexcept = default;
    Seat& operator=(Seat&& other) = delete;
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;

   private:
    std::shared_ptr<WaitingRoom> room_;
  };

  bool full() const { return taken_ >= kWaitingRequestsMax; }
  std::size_t taken() const { return taken_; }

 private:
  std::size_t taken_ = 0;
};

}  // namespace hpc
