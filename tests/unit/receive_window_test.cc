// The window of a channel over paths that are played through, 100 µs at a time.
#include "manager/ssh/receive_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace hpc {
namespace {

constexpr std::uint64_t kStepUs = 100;
constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;
constexpr std::size_t kPacketBytes = 32'000;
constexpr double kMiB = 1024.0 * 1024.0;

/// What libssh 0.10 does with one channel: written after its channels.c, not after our class.
struct Libssh {
  std::size_t local_window = 64'000;
  std::size_t buffered = 0;

  /// Returns by how much the window has grown: what the server is told.
  std::size_t receive(std::size_t count) {
    EXPECT_LE(count, local_window) << "the server has sent more than it may";
    buffered += count;
    local_window -= count;
    return local_window + buffered < 640'000 ? grow(0) : 0;
  }
  std::size_t read(std::size_t asked, std::size_t& taken) {
    std::size_t grown = asked > buffered + local_window ? grow(asked - buffered) : 0;
    taken = std::min(asked, buffered);
    buffered -= taken;
    if (local_window < 640'000) grown += grow(0);
    return grown;
  }

 private:
  std::size_t grow(std::size_t least) {
    const std::size_t wanted = std::max<std::size_t>(least, 1'280'000);
    if (wanted <= local_window) return 0;
    return wanted - std::exchange(local_window, wanted);
  }
};

/// A line with a server behind it that always has more to send, and channels over it.
class Line {
 public:
  struct Channel {
    explicit Channel(ReceivePath& path) : window(path) {}
    ReceiveWindow window;
    Libssh libssh;
    std::size_t server_may_send = 64'000;
    std::size_t read = 0;
    std::size_t messages = 0;  // of ours about the window
    bool paused = false;
  };

  Line(double mib_per_s, std::uint64_t round_trip_us, int count)
      : bytes_per_step(mib_per_s * kMiB * kStepUs / 1e6), round_trip_us_(round_trip_us) {
    path.note_round_trip(round_trip_us);
    for (int i = 0; i < count; ++i) {
      channels.push_back(std::make_unique<Channel>(path));
    }
  }

  void run(std::uint64_t ms) {
    for (const std::uint64_t end = now_us + ms * 1000; now_us < end; now_us += kStepUs) {
      deliver_news_to_server();
      send();
      arrive();
      for (std::size_t i = 0; i < channels.size(); ++i) read(i);
    }
  }
  /// MiB/s of all channels within the next `ms`.
  double rate(std::uint64_t ms) {
    const std::size_t before = read_bytes();
    run(ms);
    return static_cast<double>(read_bytes() - before) / kMiB / (static_cast<double>(ms) / 1000);
  }
  /// The longest that a byte sent now would wait behind others, during the next `ms`.
  double longest_queue_ms(std::uint64_t ms) {
    longest_queue_ = 0;
    run(ms);
    return static_cast<double>(longest_queue_) / bytes_per_step * kStepUs / 1000;
  }

  ReceivePath path;
  std::vector<std::unique_ptr<Channel>> channels;
  double bytes_per_step;
  std::uint64_t now_us = 1'000'000;

 private:
  struct Packet {
    std::uint64_t at_us;
    std::size_t channel;
    std::size_t bytes;
  };

  std::size_t read_bytes() const {
    std::size_t sum = 0;
    for (const auto& channel : channels) sum += channel->read;
    return sum;
  }
  void deliver_news_to_server() {
    for (; !news_.empty() && news_.front().at_us <= now_us; news_.pop_front()) {
      channels[news_.front().channel]->server_may_send += news_.front().bytes;
    }
  }
  void send() {
    for (bool sent = true; sent;) {
      sent = false;
      for (std::size_t i = 0; i < channels.size(); ++i) {
        const std::size_t bytes = std::min(channels[i]->server_may_send, kPacketBytes);
        if (bytes == 0) continue;
        queue_.push_back({0, i, bytes});
        queued_ += bytes;
        channels[i]->server_may_send -= bytes;
        sent = true;
      }
    }
    longest_queue_ = std::max(longest_queue_, queued_);
    credit_ = queue_.empty() ? 0 : credit_ + bytes_per_step;
    while (!queue_.empty() && static_cast<double>(queue_.front().bytes) <= credit_) {
      credit_ -= static_cast<double>(queue_.front().bytes);
      queued_ -= queue_.front().bytes;
      under_way_.push_back(queue_.front());
      under_way_.back().at_us = now_us + round_trip_us_ / 2;
      queue_.pop_front();
    }
  }
  void arrive() {
    for (; !under_way_.empty() && under_way_.front().at_us <= now_us; under_way_.pop_front()) {
      const Packet& packet = under_way_.front();
      Channel& channel = *channels[packet.channel];
      tell_server(packet.channel, channel.libssh.receive(packet.bytes));
      channel.window.arrived(packet.bytes, channel.libssh.buffered, now_us);
    }
  }
  void read(std::size_t number) {
    Channel& channel = *channels[number];
    while (!channel.paused && channel.libssh.buffered > 0) {
      const std::size_t unread = channel.libssh.buffered;
      const std::size_t asked = channel.window.to_ask_for(kPieceBytes, unread, now_us);
      std::size_t taken = 0;
      tell_server(number, channel.libssh.read(asked, taken));
      channel.window.was_read(asked, unread, taken);
      ASSERT_LE(taken, kPieceBytes);
      channel.read += taken;
    }
    ASSERT_EQ(channel.window.open(), channel.libssh.local_window);
  }
  void tell_server(std::size_t channel, std::size_t more) {
    if (more == 0) return;
    ++channels[channel]->messages;
    news_.push_back({now_us + round_trip_us_ / 2, channel, more});
  }

  std::uint64_t round_trip_us_;
  std::deque<Packet> news_, queue_, under_way_;
  std::size_t queued_ = 0;
  std::size_t longest_queue_ = 0;
  double credit_ = 0;
};

std::size_t open_or_unread(const Line& line) {
  std::size_t sum = 0;
  for (const auto& channel : line.channels) {
    const std::size_t all = channel->window.open() + channel->libssh.buffered;
    sum += all - std::min(all, kLibsshWindow);
  }
  return sum;
}

TEST(ReceiveWindowTest, ShortFastPathNeedsNoMoreThanLibsshOpensByItself) {
  Line line(600, 200, 1);
  EXPECT_GT(line.rate(1000), 590);
  EXPECT_EQ(line.channels[0]->window.target(), kReceiveWindowLeast);
  EXPECT_LT(line.channels[0]->messages, 600U * 1024 * 1024 / 600'000);
}

TEST(ReceiveWindowTest, LongFastPathIsFilledSoon) {
  Line line(250, 25'000, 1);
  line.run(700);
  EXPECT_GT(line.rate(1000), 245);
}

TEST(ReceiveWindowTest, FilledPathHasAShortQueue) {
  Line line(150, 25'000, 1);
  line.run(1000);
  EXPECT_LT(line.longest_queue_ms(1000), 25) << "one round trip";
  EXPECT_GT(line.rate(1000), 147);
}

TEST(ReceiveWindowTest, PathThatHoldsMoreThanTheBoundGetsTheBoundAndNoMore) {
  Line line(1000, 100'000, 1);
  Line::Channel& channel = *line.channels[0];
  std::size_t largest = 0;
  for (int i = 0; i < 2000; ++i) {
    line.run(1);
    largest = std::max(largest, channel.window.open() + channel.libssh.buffered);
  }
  EXPECT_LE(largest, kReceiveWindowMax);
  EXPECT_GT(largest, kReceiveWindowMax / 16 * 15);
  EXPECT_GT(line.rate(1000), 70);
}

TEST(ReceiveWindowTest, SlowPathStaysWithTheLeast) {
  Line line(50e6 / 8 / kMiB, 25'000, 1);
  line.run(3000);
  EXPECT_EQ(line.channels[0]->window.target(), kReceiveWindowLeast);
  EXPECT_LE(line.longest_queue_ms(1000), 205) << "what libssh opens by itself, and no more";
  EXPECT_GT(line.rate(1000), 5.8);
}

TEST(ReceiveWindowTest, PathThatBecomesSlowGetsASmallWindow) {
  Line line(250, 25'000, 1);
  line.run(1000);
  EXPECT_GT(line.channels[0]->window.target(), std::size_t{7} * 1024 * 1024);
  line.bytes_per_step = 50e6 / 8 * kStepUs / 1e6;
  line.run(2500);
  EXPECT_EQ(line.channels[0]->window.target(), kReceiveWindowLeast);
}

TEST(ReceiveWindowTest, PathThatBecomesFastIsFoundOut) {
  Line line(50e6 / 8 / kMiB, 25'000, 1);
  line.run(1000);
  line.bytes_per_step = 250 * kMiB * kStepUs / 1e6;
  line.run(700);
  EXPECT_GT(line.rate(1000), 240);
}

TEST(ReceiveWindowTest, ReaderThatStoppedBeginsAnew) {
  Line line(250, 25'000, 1);
  line.run(1000);
  Line::Channel& channel = *line.channels[0];
  channel.paused = true;
  line.run(1000);
  EXPECT_EQ(channel.window.open(), 0U) << "nothing more is asked for";
  EXPECT_GT(channel.libssh.buffered, kLibsshWindow);
  channel.paused = false;
  line.run(1);
  EXPECT_EQ(channel.window.target(), kReceiveWindowLeast);
  EXPECT_LE(channel.window.open(), kLibsshWindow);
  line.run(700);
  EXPECT_GT(line.rate(1000), 240) << "and soon has its large one again";
}

TEST(ReceiveWindowTest, SeveralChannelsShareAPath) {
  Line line(200, 25'000, 4);
  line.run(1000);
  EXPECT_GT(line.rate(1000), 195);
  EXPECT_LT(line.longest_queue_ms(1000), 45);
  for (const auto& channel : line.channels) {
    EXPECT_GT(channel->read, std::size_t{60} * 1024 * 1024);
  }
}

TEST(ReceiveWindowTest, SumOfAConnectionIsBounded) {
  Line line(2000, 100'000, 5);
  for (int i = 0; i < 200; ++i) {
    line.run(10);
    ASSERT_LE(open_or_unread(line), kReceiveWindowExtraMax);
    ASSERT_LE(line.path.taken(), kReceiveWindowExtraMax);
  }
  EXPECT_EQ(line.path.taken(), kReceiveWindowExtraMax) << "all of it is in use";
  line.channels.clear();
  EXPECT_EQ(line.path.taken(), 0U);
}

TEST(ReceiveWindowTest, UnknownRoundTripKeepsTheLeast) {
  ReceivePath path;
  ReceiveWindow window(path);
  for (std::uint64_t now_us = 1; now_us < 1'000'000; now_us += 100) {
    window.arrived(100'000, 100'000, now_us);
    window.was_read(100'000, 100'000, 100'000);
  }
  EXPECT_EQ(window.target(), kReceiveWindowLeast);
}

TEST(ReceivePathTest, ShortestRoundTripCounts) {
  ReceivePath path;
  EXPECT_EQ(path.round_trip_us(), 0U);
  path.note_round_trip(30'000);
  path.note_round_trip(25'000);
  path.note_round_trip(90'000);
  EXPECT_EQ(path.round_trip_us(), 25'000U);
  path.note_round_trip(0);
  EXPECT_EQ(path.round_trip_us(), 1U) << "known, and as short as can be measured";
}

TEST(ReceivePathTest, BoundIsGrantedAndNoByteMore) {
  ReceivePath path;
  EXPECT_EQ(path.take(0, kReceiveWindowExtraMax), kReceiveWindowExtraMax);
  EXPECT_EQ(path.take(0, 1), 0U);
  EXPECT_EQ(path.take(kReceiveWindowExtraMax, kReceiveWindowExtraMax + 1), kReceiveWindowExtraMax);
  EXPECT_EQ(path.take(kReceiveWindowExtraMax, kReceiveWindowExtraMax - 1),
            kReceiveWindowExtraMax - 1);
  EXPECT_EQ(path.take(0, 2), 1U);
  EXPECT_EQ(path.taken(), kReceiveWindowExtraMax);
}

}  // namespace
}  // namespace hpc
