#include "manager/store/store_writer.h"

#include <signal.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace hpc {

namespace {

struct TextBytes {
  std::size_t operator()(const PutSession& put) const {
    const SessionRow& row = put.row;
    return row.id.size() + row.key.user.size() + row.key.cluster.size() + row.key.ide.size() +
           row.reason.size() + row.job_id.size() + row.node.size() + row.spec.size();
  }
  std::size_t operator()(const PutLease& put) const {
    return put.row.session.size() + put.row.range.size();
  }
  std::size_t operator()(const DropLeases& drop) const { return drop.session.size(); }
  std::size_t operator()(const PutToken& put) const {
    return put.row.id.size() + put.row.user.size() + put.row.label.size();
  }
  std::size_t operator()(const TouchToken& touch) const { return touch.id.size(); }
  std::size_t operator()(const SetActive& set) const {
    return set.user.size() + (set.session ? set.session->size() : 0);
  }
  std::size_t operator()(const AppendEvent& append) const {
    const Event& event = append.event;
    return event.session.size() + event.type.size() + event.data.size();
  }
  std::size_t operator()(const PutQueued& put) const {
    return put.row.session.size() + put.row.spec.size();
  }
  std::size_t operator()(const DropQueued& drop) const { return drop.session.size(); }
};

std::size_t bytes_of(const std::vector<Change>& changes) {
  std::size_t sum = 0;
  for (const Change& change : changes) sum += change_bytes(change);
  return sum;
}

}  // namespace

std::size_t change_bytes(const Change& change) {
  return sizeof change + std::visit(TextBytes{}, change);
}

StoreWriter::StoreWriter(StoreBackend& backend, ToLoop to_loop, Times times)
    : backend_(backend), to_loop_(std::move(to_loop)), times_(times) {}

StoreWriter::~StoreWriter() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Status StoreWriter::write(std::vector<Change> changes, Store::Committed done) {
  const std::size_t bytes = bytes_of(changes);
  if (queued_changes_ + changes.size() > kQueuedChangesMax ||
      queued_bytes_ + bytes > kQueuedBytesMax) {
    return fail(Errc::kUnavailable, "store",
                "too many changes wait for the disk; try again in a moment");
  }
  queued_changes_ += changes.size();
  queued_bytes_ += bytes;
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back({std::move(changes), std::move(done)});
  }
  changed_.notify_one();
  if (thread_.joinable()) return {};
  // Signals belong to the loop's thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

void StoreWriter::run() {
  Lock lock(mutex_);
  while (true) {
    if (!wait_for_writes(lock)) return;
    std::deque<Waiting> group;
    group.swap(waiting_);
    lock.unlock();
    if (group.empty()) {
      probe();
    } else {
      commit(std::move(group));
    }
    lock.lock();
  }
}

/// True with something to do, or with nothing when it is time for a probe; false at the end.
bool StoreWriter::wait_for_writes(Lock& lock) {
  const auto awake = [this] { return stopping_ || !waiting_.empty(); };
  if (!failing_) {
    changed_.wait(lock, awake);
  } else if (!changed_.wait_for(lock, times_.probe, awake)) {
    return true;
  }
  if (waiting_.empty()) return false;
  changed_.wait_until(lock, next_commit_, [this] { return stopping_; });
  return true;
}

void StoreWriter::commit(std::deque<Waiting> group) {
  next_commit_ = std::chrono::steady_clock::now() + times_.group;
  StoreBackend::Writes writes;
  std::vector<Finished> finished;
  for (Waiting& one : group) {
    finished.push_back({std::move(one.done), one.changes.size(), bytes_of(one.changes), {}});
    writes.push_back(std::move(one.changes));
  }
  auto statuses = backend_.commit(writes);
  assert(statuses.size() == finished.size());
  for (std::size_t i = 0; i < finished.size(); ++i) finished[i].status = std::move(statuses[i]);
  report(std::move(finished));
}

void StoreWriter::probe() {
  std::vector<Finished> nobody(1);
  nobody.front().status = backend_.probe();
  report(std::move(nobody));
}

void StoreWriter::report(std::vector<Finished> finished) {
  // A change that contradicts what is stored says nothing about the disk.
  Status health;
  for (const Finished& one : finished) {
    if (!one.status && one.status.error().code != Errc::kBadRequest) health = one.status;
  }
  failing_ = !health;
  to_loop_([this, health, finished = std::move(finished)] {
    health_ = health;
    for (const Finished& one : finished) {
      queued_changes_ -= one.changes;
      queued_bytes_ -= one.bytes;
      if (one.done) one.done(one.status);
    }
  });
}

}  // namespace hpc
