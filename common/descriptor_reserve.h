#pragma once
#include <memory>
#include <vector>

#include "common/loop.h"
#include "common/stream.h"

namespace hpc {

// The last descriptors of the process: for the refusal of whoever comes, and for files that are
// opened for a moment (the record, /proc). A quarter where the limit itself is tiny.
constexpr int kDescriptorReserve = 16;

/// Is this descriptor, which was opened just now, one of the last? Then no connection may keep it.
/// Descriptors are given from the lowest, so its number tells how many are taken.
bool is_of_the_last(int fd);

/// The same of the next descriptor, where it is not known yet; costs opening one.
bool descriptors_are_short();

/// Does this errno say that the system has no more of something, for now: descriptors, memory,
/// local ports?
bool is_shortage(int error);

/// Clients that came when descriptors_are_short(): each is answered 503 and closed.
///
/// Their own end is waited for a moment, because closing over unread bytes would destroy the answer
/// on its way (RFC 9112, 9.6); when more come than may wait, the oldest is closed.
class RefusedClients {
 public:
  static constexpr std::size_t kWaitingMax = 3;  // a program has four listeners at most
  static constexpr std::uint64_t kWaitMs = 1000;

  explicit RefusedClients(Loop& loop) : loop_(loop) {}
  void refuse(std::unique_ptr<Stream> stream);
  std::size_t waiting() const { return waiting_.size(); }

 private:
  class Client;
  void remove(const Client* client);
  Loop& loop_;
  std::vector<std::shared_ptr<Client>> waiting_;  // shared with the loop while one is given up
};

}  // namespace hpc
