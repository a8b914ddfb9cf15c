#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/loop.h"
#include "common/stream.h"

namespace hpc {

class Timer;

/// A pending operation; destroying it cancels it, and its callback will not come.
class Pending {
 public:
  virtual ~Pending() = default;
};

using ConnectDone = std::function<void(Result<std::unique_ptr<Stream>>)>;

/// Opens a new connection to the far end: TCP in hpc-proxy, an SSH channel in hpc-manager.
class Connector {
 public:
  virtual ~Connector() = default;
  /// Calls `done` once, in a later turn, unless the returned object is destroyed first. `done` may
  /// destroy it. Errors: kRefused (nothing listens), kTimeout, kForbidden, kUnavailable, kNetwork.
  virtual std::unique_ptr<Pending> connect(const std::string& key, ConnectDone done) = 0;
};

struct UpstreamPoolOptions {
  // Node closes an idle connection after 5 s; one that we drop first cannot die under a request.
  std::uint64_t idle_ms = 4000;
  // As many as clients that ask for one app at a time; each client more costs a new connection for
  // each of its requests, about 12 system calls. Past it the oldest idle connection is closed.
  std::size_t idle_per_key_max = 1024;
  std::size_t idle_max = 2048;  // over all keys; past it the one that is given back is closed
};

/// A connection taken from the pool.
struct UpstreamLease {
  std::unique_ptr<Stream> stream;
  bool reused =
      false;  // has carried an exchange before: may die before the first byte of an answer
};

/// Keep-alive connections to the far ends, and the opening of new ones.
///
/// The connector and the loop must outlive the pool. An idle connection that sends a byte or
/// closes is dropped at once. Taking, giving back and dropping cost the same however many are idle,
/// and no memory is allocated for it as long as the pool does not grow.
class UpstreamPool {
 public:
  using Taken = std::function<void(Result<UpstreamLease>)>;

  UpstreamPool(Loop& loop, Connector& connector, UpstreamPoolOptions options = {});
  ~UpstreamPool();
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  /// An idle connection if there is one, as `lease` at once (returns nullptr, `taken` is not
  /// called); else opens a new one: `taken` is called later unless the returned object is destroyed
  /// first.
  std::unique_ptr<Pending> take(const std::string& key, bool fresh_only, UpstreamLease& lease,
                                Taken taken);
  /// Gives back a connection on which an exchange ended cleanly, both messages complete.
  void give_back(const std::string& key, std::unique_ptr<Stream> stream);
  /// Closes all idle connections (the far end moved).
  void close_idle();
  /// The same, and keeps none from now on (drain).
  void close();
  std::size_t idle_count() const { return idle_count_; }

 private:
  class Idle;
  using IdleList = std::list<Idle>;  // the oldest first
  void close_one(IdleList& waiting, IdleList::iterator idle);
  void sweep();

  Loop& loop_;
  Connector& connector_;
  UpstreamPoolOptions options_;
  std::unordered_map<std::string, IdleList> idle_;  // empty lists stay until the next sweep
  IdleList spare_;  // elements without a connection, to be used again; at most idle_max
  std::size_t idle_count_ = 0;
  std::unique_ptr<Timer> sweep_;  // runs while anything is idle
  bool closed_ = false;
};

}  // namespace hpc
