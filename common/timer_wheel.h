#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace hpc {

/// The deadlines of one loop in order. Starting and stopping one costs the same among a hundred
/// thousand as alone, and needs no memory beside the object that waits: a hierarchical timing wheel
/// (Varghese and Lauck, 1987) of seven levels with 64 slots each, exact to the millisecond.
///
/// Pure: times are told to it, in milliseconds of a clock that never goes back. What waits must be
/// stopped, or be due, before it or the wheel is destroyed.
class TimerWheel {
 private:
  struct Link {
    Link* next = nullptr;
    Link* previous = nullptr;
  };

 public:
  // 139 years; what is later is due then.
  static constexpr std::uint64_t kDueMax = (std::uint64_t{1} << 42) - 1;

  /// What waits for its time: a part of its owner.
  class Entry : private Link {
   public:
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    bool waits() const { return next != nullptr; }

   protected:
    Entry() = default;
    ~Entry() = default;

   private:
    friend class TimerWheel;
    /// From advance(), once; it waits no more and may be started again or destroyed later.
    virtual void on_due() noexcept = 0;
    std::uint64_t due_ : 48 = 0;
    std::uint64_t slot_ : 16 = 0;
  };

  TimerWheel();
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// A time that has passed is due at the next advance(). Starting again sets a new time.
  void start(Entry& entry, std::uint64_t due_ms);
  /// Nothing happens to what does not wait.
  void stop(Entry& entry);
  bool empty() const { return size_ == 0; }

  /// When advance() is to be called next: never later than the first time that is due, maybe
  /// sooner, at most six times for one entry. Nothing while nobody waits.
  std::optional<std::uint64_t> next_ms() const;
  /// Calls all whose time has come, in the order of their times; of equal times who was started
  /// first. What is started meanwhile waits for the next call.
  void advance(std::uint64_t now_ms);

 private:
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1U << kBits;
  static constexpr unsigned kLevels = 7;
  static constexpr std::uint16_t kDueSlot = kLevels * kSlots;

  /// A slot in use, and the first time that stands in it or could.
  struct Position {
    unsigned level;
    unsigned slot;
    std::uint64_t begin_ms;
  };
  std::optional<Position> first_slot() const;
  static void append(Link& list, Link& link);
  static void move_all(Link& from, Link& to);
  static void unlink(Link& link);
  void place(Entry& entry);
  void turn_to(const Position& position);

  std::array<Link, kDueSlot + 1> slots_;  // rings; the last one is of those that are due
  std::array<std::uint64_t, kLevels> occupied_{};
  std::uint64_t now_ms_ = 0;
  std::size_t size_ = 0;
};

}  // namespace hpc
