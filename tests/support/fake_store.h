#pragma once
#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "manager/store/store.h"

namespace hpc {

/// A store for tests: remembers what was written and reports it when the test says so.
class FakeStore final : public Store {
 public:
  StoreContents contents;  // what load() returns
  Status refuse;           // what write() returns: a full queue, for example
  Status health;
  std::vector<Change> stored;  // of writes that succeeded, in their order

  Result<StoreContents> load() override { return contents; }
  Status write(std::vector<Change> changes, Committed done) override {
    if (!refuse) return refuse;
    waiting_.emplace_back(std::move(changes), std::move(done));
    return {};
  }
  Status healthy() const override { return health; }

  std::size_t waiting() const { return waiting_.size(); }
  /// Everything that waits ends with `status`.
  void commit(const Status& status = {}) {
    while (!waiting_.empty()) {
      auto [changes, done] = std::move(waiting_.front());
      waiting_.pop_front();
      if (status) stored.insert(stored.end(), changes.begin(), changes.end());
      if (done) done(status);
    }
  }
  /// The stored changes of one kind.
  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const Change& change : stored) {
      if (const T* one = std::get_if<T>(&change)) found.push_back(*one);
    }
    return found;
  }

 private:
  std::deque<std::pair<std::vector<Change>, Committed>> waiting_;
};

}  // namespace hpc
