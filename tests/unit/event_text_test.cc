#include "manager/event_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace hpc {
namespace {

constexpr std::string_view kStream =
    "retry: 2000\n\n"
    ": still here\n\n"
    "id: 7\nevent: state\ndata: {\"a\":1}\n\n"
    "event: gap\ndata: {}\n\n"
    "id: x\nevent: progress\r\ndata:{\"b\": \"c: d\"}\r\n\r\n"
    "id: 9\nevent: state\ndata: half";

const std::vector<std::string> kSeen = {"7 state {\"a\":1}", "- gap {}",
                                        "- progress {\"b\": \"c: d\"}"};

struct EventTextTest : testing::Test {
  bool feed(std::string_view piece) {
    return text.feed(piece, [this](const EventItem& item) {
      seen.push_back((item.id ? std::to_string(*item.id) : "-") + " " + item.type + " " +
                     item.data);
    });
  }
  EventText text;
  std::vector<std::string> seen;
};

TEST_F(EventTextTest, WholeEventsAreTaken) {
  EXPECT_TRUE(feed(kStream));
  EXPECT_EQ(seen, kSeen);
}

TEST_F(EventTextTest, WhereverItIsCut) {
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    seen.clear();
    text = EventText();
    EXPECT_TRUE(feed(kStream.substr(0, cut)));
    EXPECT_TRUE(feed(kStream.substr(cut)));
    EXPECT_EQ(seen, kSeen) << cut;
  }
}

TEST_F(EventTextTest, HalfAnEventIsForgottenWithItsStream) {
  feed("id: 1\nevent: state\nda");
  text.reset();
  feed("event: progress\ndata: {}\n\n");
  EXPECT_EQ(seen, std::vector<std::string>{"- progress {}"});
}

TEST_F(EventTextTest, AnEventHasABound) {
  const std::string longest(kEventTextBytesMax - 6, 'x');
  EXPECT_TRUE(feed("data: " + longest + "\n\n"));
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_FALSE(feed("data: " + longest + "x"));
}

TEST_F(EventTextTest, TheBoundIsOfAllItsLines) {
  const std::string half(kEventTextBytesMax / 2, 'x');
  EXPECT_TRUE(feed("data: " + half + "\n"));
  EXPECT_FALSE(feed("data: " + half));
}

TEST_F(EventTextTest, ABoundThatIsReachedInSmallPieces) {
  std::size_t fed = 0;
  while (feed("0123456789") && fed <= kEventTextBytesMax) fed += 10;
  EXPECT_LE(fed, kEventTextBytesMax);
}

}  // namespace
}  // namespace hpc
