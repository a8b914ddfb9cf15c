// Questions on a real pseudo-terminal.
#include "manager/ssh/terminal_prompter.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <future>

#include "common/unique_fd.h"

namespace hpc {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

struct TerminalPrompterTest : ::testing::Test {
  void SetUp() override {
    ASSERT_TRUE(screen);
    ASSERT_EQ(grantpt(screen.get()) + unlockpt(screen.get()), 0);
    std::array<char, 64> name{};
    ASSERT_EQ(ptsname_r(screen.get(), name.data(), name.size()), 0);
    path = name.data();
    terminal.reset(open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  }
  /// What the person sees, until it ends with `text`.
  std::string shown_until(const std::string& text) {
    std::string shown;
    while (shown.find(text) == std::string::npos) {
      pollfd wait{screen.get(), POLLIN, 0};
      if (poll(&wait, 1, 5000) <= 0) break;
      char c = 0;
      if (read(screen.get(), &c, 1) != 1) break;
      shown += c;
    }
    return shown;
  }
  void type(const std::string& text) {
    ASSERT_EQ(write(screen.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  bool echo_is_on() {
    termios now{};
    tcgetattr(terminal.get(), &now);
    return (now.c_lflag & ECHO) != 0;
  }

  UniqueFd screen{posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  UniqueFd terminal;  // held open, so that the settings survive between two questions
  std::string path;
};

TEST_F(TerminalPrompterTest, SecretIsReadWithoutEchoAndEchoComesBack) {
  TerminalPrompter prompter(path);
  auto answer = std::async(std::launch::async, [&] { return prompter.ask("Password: ", false); });
  EXPECT_THAT(shown_until("Password: "), EndsWith("Password: "));
  EXPECT_FALSE(echo_is_on());
  type("s3cret\n");
  EXPECT_EQ(answer.get(), "s3cret");
  EXPECT_TRUE(echo_is_on());
  EXPECT_THAT(shown_until("\n"), Not(HasSubstr("s3cret")));
}

TEST_F(TerminalPrompterTest, CancelEndsTheQuestionAndRestoresTheTerminal) {
  TerminalPrompter prompter(path);
  auto answer = std::async(std::launch::async, [&] { return prompter.ask("Password: ", false); });
  shown_until("Password: ");
  prompter.cancel();
  EXPECT_EQ(answer.get(), std::nullopt);
  EXPECT_TRUE(echo_is_on());
}

TEST_F(TerminalPrompterTest, ConfirmWantsYesOrNoInFull) {
  TerminalPrompter prompter(path);
  auto answer = std::async(std::launch::async, [&] { return prompter.confirm("Really?"); });
  shown_until("(yes/no) ");
  type("y\n");
  shown_until("Please type");
  type("yes\n");
  EXPECT_EQ(answer.get(), true);
}

TEST_F(TerminalPrompterTest, ControlBytesOfTheServerDoNotReachTheScreen) {
  TerminalPrompter prompter(path);
  auto answer = std::async(std::launch::async, [&] { return prompter.ask("\x1b[2JCode: ", true); });
  EXPECT_THAT(shown_until("Code: "), HasSubstr("?[2JCode: "));
  type("\n");
  EXPECT_EQ(answer.get(), "");
}

TEST_F(TerminalPrompterTest, WithoutATerminalNobodyIsThere) {
  TerminalPrompter prompter("/dev/null");
  EXPECT_EQ(prompter.ask("Password: ", false), std::nullopt);
  EXPECT_EQ(prompter.confirm("Really?"), std::nullopt);
}

}  // namespace
}  // namespace hpc
