#include "common/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace hpc {

// A time stands in the level of the highest six bits in which it differs from now, in the slot that
// these bits name. So every slot in use is ahead of now in its level, and all of a lower level are
// before all of a higher one. When now comes to a slot, its entries go to lower levels, or are due.

TimerWheel::TimerWheel() {
  for (Link& ring : slots_) ring.next = ring.previous = &ring;
}

TimerWheel::~TimerWheel() { assert(size_ == 0 && "a timer outlives its loop"); }

void TimerWheel::append(Link& list, Link& link) {
  link.previous = list.previous;
  link.next = &list;
  list.previous->next = &link;
  list.previous = &link;
}

void TimerWheel::move_all(Link& from, Link& to) {
  if (from.next == &from) return;
  from.next->previous = to.previous;
  to.previous->next = from.next;
  from.previous->next = &to;
  to.previous = from.previous;
  from.next = from.previous = &from;
}

void TimerWheel::unlink(Link& link) {
  link.previous->next = link.next;
  link.next->previous = link.previous;
  link.next = link.previous = nullptr;
}

void TimerWheel::start(Entry& entry, std::uint64_t due_ms) {
  stop(entry);
  entry.due_ = std::min(due_ms, kDueMax) & kDueMax;
  place(entry);
  ++size_;
}

void TimerWheel::stop(Entry& entry) {
  if (!entry.waits()) return;
  unlink(entry);
  --size_;
  const unsigned slot = entry.slot_;
  if (slot == kDueSlot || slots_[slot].next != &slots_[slot]) return;
  occupied_[slot / kSlots] &= ~(std::uint64_t{1} << (slot % kSlots));
}

void TimerWheel::place(Entry& entry) {
  const std::uint64_t due = entry.due_;
  unsigned slot = kDueSlot;
  if (due > now_ms_) {
    const auto level = (static_cast<unsigned>(std::bit_width(due ^ now_ms_)) - 1) / kBits;
    const auto index = static_cast<unsigned>(due >> (level * kBits)) % kSlots;
    occupied_[level] |= std::uint64_t{1} << index;
    slot = level * kSlots + index;
  }
  entry.slot_ = static_cast<std::uint16_t>(slot);
  append(slots_[slot], entry);
}

std::optional<TimerWheel::Position> TimerWheel::first_slot() const {
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
    const unsigned shift = level * kBits;
    const std::uint64_t round_ms = now_ms_ >> (shift + kBits) << (shift + kBits);
    return Position{level, slot, round_ms | (std::uint64_t{slot} << shift)};
  }
  return std::nullopt;
}

std::optional<std::uint64_t> TimerWheel::next_ms() const {
  const Link& due = slots_[kDueSlot];
  if (due.next != &due) return now_ms_;
  const auto first = first_slot();
  return first ? std::optional(first->begin_ms) : std::nullopt;
}

void TimerWheel::turn_to(const Position& position) {
  now_ms_ = position.begin_ms;
  occupied_[position.level] &= ~(std::uint64_t{1} << position.slot);
  Link moving;
  moving.next = moving.previous = &moving;
  move_all(slots_[position.level * kSlots + position.slot], moving);
  while (moving.next != &moving) {
    auto& entry = static_cast<Entry&>(*moving.next);
    unlink(entry);
    place(entry);
  }
}

void TimerWheel::advance(std::uint64_t now_ms) {
  const std::uint64_t target = std::min(now_ms, kDueMax);
  for (auto first = first_slot(); first && first->begin_ms <= target; first = first_slot()) {
    turn_to(*first);
  }
  now_ms_ = std::max(now_ms_, target);
  Link firing;
  firing.next = firing.previous = &firing;
  move_all(slots_[kDueSlot], firing);
  while (firing.next != &firing) {
    auto& entry = static_cast<Entry&>(*firing.next);
    unlink(entry);
    --size_;
    entry.on_due();
  }
}

}  // namespace hpc
