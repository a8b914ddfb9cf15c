#include "node-proxy/run/keeper_message.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <limits>
#include <ostream>

namespace hpc {
namespace {

const KeeperCommand kCommand{{"live-server", "--port", "5500", ""},
                             {"LD_PRELOAD=/lib/a.so", "EMPTY=", "TWO=a=b"}};

std::string packet_of(const ToKeeper& message) {
  auto packet = encode(message);
  EXPECT_TRUE(packet) << describe(packet.error());
  return packet.value_or("");
}

/// With a byte more and with each number of bytes less it is no packet any more.
template <class Decode>
void expect_exact(const std::string& packet, Decode decode) {
  EXPECT_TRUE(decode(packet));
  EXPECT_FALSE(decode(packet + '\0')) << "a byte too many";
  EXPECT_FALSE(decode(packet + 'x')) << "a byte too many";
  for (std::size_t size = 0; size < packet.size(); ++size) {
    EXPECT_FALSE(decode(packet.substr(0, size))) << "cut to " << size;
  }
}

TEST(KeeperMessageTest, StartArrivesAsItWas) {
  const std::string packet = packet_of(StartMessage{kCommand});
  const auto message = decode_to_keeper(packet);
  ASSERT_TRUE(message);
  const auto& command = std::get<StartMessage>(*message).command;
  EXPECT_EQ(command.words, kCommand.words);
  EXPECT_EQ(command.environment, kCommand.environment);
  expect_exact(packet, decode_to_keeper);
}

TEST(KeeperMessageTest, SignalArrivesAsItWas) {
  const std::string packet = packet_of(SignalMessage{SIGUSR2, 4711});
  const auto message = decode_to_keeper(packet);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<SignalMessage>(*message).number, SIGUSR2);
  EXPECT_EQ(std::get<SignalMessage>(*message).sender, 4711);
  expect_exact(packet, decode_to_keeper);
}

TEST(KeeperMessageTest, TakesSignalsThatThereAre) {
  EXPECT_TRUE(decode_to_keeper(packet_of(SignalMessage{1, 0})));
  EXPECT_TRUE(decode_to_keeper(packet_of(SignalMessage{NSIG - 1, 0})));
  EXPECT_FALSE(decode_to_keeper(packet_of(SignalMessage{0, 0})));
  EXPECT_FALSE(decode_to_keeper(packet_of(SignalMessage{-1, 0})));
  EXPECT_FALSE(decode_to_keeper(packet_of(SignalMessage{NSIG, 0})));
  EXPECT_FALSE(decode_to_keeper(packet_of(SignalMessage{SIGTERM, -1})));
}

TEST(KeeperMessageTest, EndArrivesAsItWas) {
  const std::string packet = packet_of(EndMessage{std::numeric_limits<std::uint64_t>::max()});
  const auto message = decode_to_keeper(packet);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<EndMessage>(*message).grace_ms, std::numeric_limits<std::uint64_t>::max());
  expect_exact(packet, decode_to_keeper);
}

TEST(KeeperMessageTest, ContinueArrivesAsItWas) {
  const std::string packet = packet_of(ContinueMessage{12});
  const auto message = decode_to_keeper(packet);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<ContinueMessage>(*message).stop, 12U);
  expect_exact(packet, decode_to_keeper);
}

TEST(KeeperMessageTest, WishArrivesAsItWas) {
  const std::string packet = packet_of(WishMessage{7, {10, 1, 6}});
  const auto message = decode_to_keeper(packet);
  ASSERT_TRUE(message);
  const auto& wish = std::get<WishMessage>(*message);
  EXPECT_EQ(wish.id, 7U);
  EXPECT_EQ(wish.wish.family, 10);
  EXPECT_EQ(wish.wish.type, 1);
  EXPECT_EQ(wish.wish.protocol, 6);
  expect_exact(packet, decode_to_keeper);
}

TEST(KeeperMessageTest, ReadyArrivesAsItWas) {
  EXPECT_TRUE(decode_from_keeper(encode(FromKeeper(ReadyMessage{}))));
  const std::string packet = encode(FromKeeper(ReadyMessage{"unshare", "not permitted"}));
  const auto message = decode_from_keeper(packet);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<ReadyMessage>(*message).where, "unshare");
  EXPECT_EQ(std::get<ReadyMessage>(*message).detail, "not permitted");
  expect_exact(packet, decode_from_keeper);
}

TEST(KeeperMessageTest, HalfAReasonIsNone) {
  EXPECT_FALSE(decode_from_keeper(encode(FromKeeper(ReadyMessage{"unshare", ""}))));
  EXPECT_FALSE(decode_from_keeper(encode(FromKeeper(ReadyMessage{"", "not permitted"}))));
}

TEST(KeeperMessageTest, CutsALongReason) {
  const auto detail_of = [](std::size_t size) {
    const auto message =
        decode_from_keeper(encode(FromKeeper(ReadyMessage{"a", std::string(size, 'b')})));
    return message ? std::get<ReadyMessage>(*message).detail.size() : 0;
  };
  EXPECT_EQ(detail_of(kKeeperDetailBytesMax), kKeeperDetailBytesMax);
  EXPECT_EQ(detail_of(kKeeperDetailBytesMax + 1), kKeeperDetailBytesMax);
}

TEST(KeeperMessageTest, WhatTheKeeperSaysFitsIntoItsBound) {
  const std::string longest(kKeeperDetailBytesMax, 'x');
  EXPECT_LE(encode(FromKeeper(ReadyMessage{longest, longest})).size(), kFromKeeperBytesMax);
}

TEST(KeeperMessageTest, StoppedArrivesAsItWas) {
  const std::string packet = encode(FromKeeper(StoppedMessage{4711, 12}));
  const auto message = decode_from_keeper(packet);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<StoppedMessage>(*message).pid, 4711);
  EXPECT_EQ(std::get<StoppedMessage>(*message).stop, 12U);
  expect_exact(packet, decode_from_keeper);
  EXPECT_FALSE(decode_from_keeper(encode(FromKeeper(StoppedMessage{0, 1}))));
}

TEST(KeeperMessageTest, EndedBearsAnExitCode) {
  const std::string packet = encode(FromKeeper(EndedMessage{255}));
  const auto message = decode_from_keeper(packet);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<EndedMessage>(*message).exit_code, 255);
  expect_exact(packet, decode_from_keeper);
  EXPECT_TRUE(decode_from_keeper(encode(FromKeeper(EndedMessage{0}))));
  EXPECT_FALSE(decode_from_keeper(encode(FromKeeper(EndedMessage{256}))));
  EXPECT_FALSE(decode_from_keeper(encode(FromKeeper(EndedMessage{-1}))));
}

TEST(KeeperMessageTest, SocketArrivesAsItWas) {
  const std::string packet = encode(FromKeeper(SocketMessage{9, 24}));
  const auto message = decode_from_keeper(packet);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<SocketMessage>(*message).id, 9U);
  EXPECT_EQ(std::get<SocketMessage>(*message).error, 24);
  expect_exact(packet, decode_from_keeper);
  EXPECT_FALSE(decode_from_keeper(encode(FromKeeper(SocketMessage{9, -1}))));
}

TEST(KeeperMessageTest, NeitherUnderstandsTheOther) {
  for (const ToKeeper& message :
       {ToKeeper(StartMessage{kCommand}), ToKeeper(SignalMessage{1, 0}), ToKeeper(EndMessage{}),
        ToKeeper(ContinueMessage{}), ToKeeper(WishMessage{})}) {
    EXPECT_FALSE(decode_from_keeper(packet_of(message)));
  }
  for (const FromKeeper& message : {FromKeeper(ReadyMessage{}), FromKeeper(StoppedMessage{1, 1}),
                                    FromKeeper(EndedMessage{}), FromKeeper(SocketMessage{})}) {
    EXPECT_FALSE(decode_to_keeper(encode(message)));
  }
}

struct BadCommand {
  const char* name;
  KeeperCommand command;
};
void PrintTo(const BadCommand& c, std::ostream* os) { *os << c.name; }
class BadCommandTest : public testing::TestWithParam<BadCommand> {};

TEST_P(BadCommandTest, IsRefused) {
  const auto packet = encode(ToKeeper(StartMessage{GetParam().command}));
  ASSERT_FALSE(packet);
  EXPECT_EQ(packet.error().code, Errc::kBadRequest);
}

INSTANTIATE_TEST_SUITE_P(
    KeeperMessageTest, BadCommandTest,
    testing::Values(BadCommand{"no_words", {{}, {}}}, BadCommand{"no_program", {{"", "a"}, {}}},
                    BadCommand{"zero_in_word", {{"a", std::string("b\0c", 3)}, {}}},
                    BadCommand{"zero_in_setting", {{"a"}, {std::string("A=\0c", 4)}}},
                    BadCommand{"setting_without_value", {{"a"}, {"A"}}},
                    BadCommand{"setting_without_name", {{"a"}, {"=a"}}}),
    [](const auto& test) { return test.param.name; });

/// A program that was not made by encode().
TEST(KeeperMessageTest, RefusesAStartWithoutProgram) {
  const std::string zero(4, '\0');
  const std::string one("\1\0\0\0", 4);
  EXPECT_FALSE(decode_to_keeper("S" + zero + zero)) << "no words";
  EXPECT_FALSE(decode_to_keeper("S" + one + zero + '\0')) << "an empty program";
  EXPECT_TRUE(decode_to_keeper("S" + one + zero + "a" + '\0'));
  EXPECT_FALSE(decode_to_keeper("S" + one + one + "a" + '\0' + "A" + '\0')) << "no setting";
  EXPECT_TRUE(decode_to_keeper("S" + one + one + "a" + '\0' + "A=" + '\0'));
  const std::string many(4, '\xff');
  EXPECT_FALSE(decode_to_keeper("S" + many + zero + "a" + '\0')) << "says more than it has";
}

TEST(KeeperMessageTest, BoundsAStart) {
  constexpr std::size_t kAround = 1 + 2 * sizeof(std::uint32_t) + 1;  // and the zero at the end
  const auto of_size = [](std::size_t size) {
    return encode(ToKeeper(StartMessage{{{std::string(size - kAround, 'a')}, {}}}));
  };
  const auto fits = of_size(kKeeperPacketBytesMax);
  ASSERT_TRUE(fits);
  EXPECT_EQ(fits->size(), kKeeperPacketBytesMax);
  EXPECT_TRUE(decode_to_keeper(*fits));
  const auto too_long = of_size(kKeeperPacketBytesMax + 1);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, Errc::kTooLarge);
  EXPECT_NE(too_long.error().detail.find("163841 bytes"), std::string::npos);
  std::string forged = *fits;
  forged.insert(forged.size() - 1, "a");
  EXPECT_FALSE(decode_to_keeper(forged));
}

TEST(KeeperMessageTest, RefusesWhatItDoesNotKnow) {
  for (int kind = 0; kind <= 255; ++kind) {
    const std::string packet(1, static_cast<char>(kind));
    EXPECT_FALSE(decode_to_keeper(packet)) << kind;
    EXPECT_FALSE(decode_from_keeper(packet)) << kind;
  }
}

}  // namespace
}  // namespace hpc
