#include "manager/session/session_state.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

using S = SessionState;
using E = SessionEvent;

struct SessionStateTest : testing::Test {
  void follow(E event, S to) {
    const auto next = next_state(state, event);
    ASSERT_TRUE(next) << state_name(state) << ", " << event_name(event);
    EXPECT_EQ(state_name(*next), state_name(to));
    state = *next;
  }
  void refuse(E event) const {
    EXPECT_FALSE(next_state(state, event)) << state_name(state) << ", " << event_name(event);
  }
  S state = S::kQueued;
};

TEST_F(SessionStateTest, ALaunchedSessionRunsAndEnds) {
  follow(E::kTurnCame, S::kSubmitting);
  follow(E::kSubmitted, S::kPending);
  follow(E::kJobRuns, S::kStarting);
  follow(E::kTunnelReady, S::kRunning);
  follow(E::kEndAsked, S::kEnding);
  follow(E::kJobGone, S::kEnded);
}

TEST_F(SessionStateTest, AnAttachedSessionIsNeverSubmitted) {
  follow(E::kAttached, S::kStarting);
  follow(E::kTunnelReady, S::kRunning);
  follow(E::kEndAsked, S::kEnding);
  follow(E::kDetached, S::kEnded);
}

TEST_F(SessionStateTest, ATunnelComesAndGoes) {
  state = S::kRunning;
  for (int i = 0; i < 3; ++i) {
    follow(E::kTunnelLost, S::kReconnecting);
    refuse(E::kTunnelLost);
    follow(E::kTunnelReady, S::kRunning);
    refuse(E::kTunnelReady);
  }
}

TEST_F(SessionStateTest, ARequeuedJobKeepsItsSession) {
  state = S::kRunning;
  follow(E::kJobRequeued, S::kReconnecting);
  follow(E::kTunnelReady, S::kRunning);
  state = S::kStarting;
  follow(E::kJobRequeued, S::kPending);
  follow(E::kJobRuns, S::kStarting);
}

TEST_F(SessionStateTest, ASubmitAnsweredAfterTheEndLeavesAJobToCancel) {
  state = S::kSubmitting;
  follow(E::kEndAsked, S::kEnding);
  follow(E::kSubmitted, S::kEnding);
  follow(E::kJobGone, S::kEnded);
}

TEST_F(SessionStateTest, AQueuedSessionEndsAtOnce) { follow(E::kEndAsked, S::kEnded); }

TEST_F(SessionStateTest, NothingComesAfterTheEnd) {
  state = S::kEnded;
  for (int event = 0; event <= static_cast<int>(E::kJobGone); ++event) {
    refuse(static_cast<E>(event));
  }
}

TEST_F(SessionStateTest, EveryStateButTheLastCanBeEnded) {
  for (int one = 0; one < static_cast<int>(S::kEnding); ++one) {
    EXPECT_TRUE(next_state(static_cast<S>(one), E::kEndAsked)) << one;
  }
}

TEST_F(SessionStateTest, NothingIsSubmittedTwice) {
  for (int one = 0; one <= static_cast<int>(S::kEnded); ++one) {
    const bool leads = next_state(static_cast<S>(one), E::kTurnCame) == S::kSubmitting;
    EXPECT_EQ(leads, static_cast<S>(one) == S::kQueued);
  }
}

TEST_F(SessionStateTest, NamesAreReadBack) {
  for (int one = 0; one <= static_cast<int>(S::kEnded); ++one) {
    EXPECT_EQ(parse_session_state(state_name(static_cast<S>(one))), static_cast<S>(one));
  }
  EXPECT_FALSE(parse_session_state("Running"));
  EXPECT_FALSE(parse_session_state(""));
}

}  // namespace
}  // namespace hpc
